//! The worker as a process: its life, its settings, and what it takes of the machine.

mod at_rest;
mod bounds;
mod life;
mod odd_settings;
mod settings;
mod wait_events;
mod without_preload;
