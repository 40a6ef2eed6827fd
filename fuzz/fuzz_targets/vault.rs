//! Runs `yikatong_fuzz::vault`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| yikatong_fuzz::vault(data));
