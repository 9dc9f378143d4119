//! What the targets share.

/// A bug that stands in a target for one in the code: with the feature `planted`, meeting it ends the target as a finding.
pub fn planted_bug(met: bool) {
    assert!(!(met && cfg!(feature = "planted")), "the planted bug");
}
