//! Runs `yikatong_fuzz::gp`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| yikatong_fuzz::gp(data));
