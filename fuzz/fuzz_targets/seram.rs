//! Runs `yikatong_fuzz::seram`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| yikatong_fuzz::seram(data));
