//! Runs `yikatong_fuzz::scp`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| yikatong_fuzz::scp(data));
