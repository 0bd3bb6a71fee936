//! Why a share is refused: numbers and texts that miners know.

/// Why a share is refused. ESP-Miner and others explain these texts to their users, so they are exact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Reject {
    /// No such job was sent on this connection.
    #[error("Job not found")]
    JobNotFound,
    /// The job was replaced: there is a new tip, or much better work.
    #[error("stale")]
    Stale,
    /// The same header was handed in before.
    #[error("Duplicate share")]
    Duplicate,
    /// The hash is above the target of the difficulty.
    #[error("Difficulty too low")]
    LowDifficulty,
    /// Bits of the version that were not agreed on.
    #[error("Invalid version mask")]
    VersionMask,
    /// Another time than the job's, which contracts of the block may have read.
    #[error("Ntime out of range")]
    Time,
    /// An extranonce2 of another length.
    #[error("Invalid nonce2 length")]
    Extranonce,
    /// The worker did not authorize.
    #[error("Unauthorized worker")]
    Unauthorized,
    /// The connection did not subscribe.
    #[error("Not subscribed")]
    NotSubscribed,
}

impl Reject {
    /// Those that are counted for a worker, with their names in statistics.
    pub const COUNTED: [(Self, &str); 7] = [
        (Self::JobNotFound, "jobNotFound"),
        (Self::Stale, "stale"),
        (Self::Duplicate, "duplicate"),
        (Self::LowDifficulty, "lowDifficulty"),
        (Self::VersionMask, "versionMask"),
        (Self::Time, "ntime"),
        (Self::Extranonce, "extranonce2"),
    ];

    /// Stratum's number for it; 20 is for all without one.
    pub fn code(self) -> u32 {
        match self {
            Self::VersionMask | Self::Time | Self::Extranonce => 20,
            Self::JobNotFound | Self::Stale => 21,
            Self::Duplicate => 22,
            Self::LowDifficulty => 23,
            Self::Unauthorized => 24,
            Self::NotSubscribed => 25,
        }
    }
}
