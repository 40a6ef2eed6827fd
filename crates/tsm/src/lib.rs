//! Trusted service management (TSM, 可信服务管理): issue, load, read, activate, lock and delete cards on phones, and the
//! phone's agent that relays the commands.
//!
//! Everything here returns the next commands and takes their answers; nothing does I/O, so a phone, a reader, a
//! simulated network and a test are the same caller.

pub mod agent;
mod job;
mod personal;
mod plan;
pub mod seram;

pub use job::{Env, Job, Next};
pub use personal::{load_pin, new_card};
pub use plan::{
    ActivatePlan, DeletePlan, Drain, DrainPlan, Element, IssuePlan, LoadPlan, LockPlan, LockReport, ReadPlan,
    Refusal, RefusalCode, Report, Reservation, Unsettled,
};
