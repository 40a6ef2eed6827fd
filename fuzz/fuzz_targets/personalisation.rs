//! Runs `yikatong_fuzz::personalisation`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| yikatong_fuzz::personalisation(data));
