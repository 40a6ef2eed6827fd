//! Runs `yikatong_fuzz::psam`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| yikatong_fuzz::psam(data));
