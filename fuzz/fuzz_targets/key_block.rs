//! Runs `yikatong_fuzz::key_block`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| yikatong_fuzz::key_block(data));
