//! Issue, personalise, activate, load, read and delete cards on phones, as resumable steps.
