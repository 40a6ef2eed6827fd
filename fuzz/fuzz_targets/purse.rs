//! Runs `yikatong_fuzz::purse`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| yikatong_fuzz::purse(data));
