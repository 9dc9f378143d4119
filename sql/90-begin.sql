-- The worker looks whether its tables are there only when it is woken.
select net.wake();
