//! The transit application: files, purse, commands for both sides, and the applet that answers them.
