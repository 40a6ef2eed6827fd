//! The S-boxes of DES as circuits of functions of three bits, 207 in all. Found by this project's own search; a test
//! holds each against the standard's table.
//!
//! Standard: FIPS 46-3, the tables S1 to S8. The six inputs are the bits of B from the left, the four outputs likewise.

/// Defines `s1` to `s8` over registers `$register`, where `$lut::<TABLE>(a, b, c)` is bit `4 a + 2 b + c` of the table.
macro_rules! sboxes {
    ($register:ty, $lut:ident, $(#[$on:meta])*) => {
        $(#[$on])*
        #[inline]
        fn s1([x0, x1, x2, x3, x4, x5]: [$register; 6]) -> [$register; 4] {
            let x6 = $lut::<134>(x3, x5, x4);
            let x7 = $lut::<230>(x4, x0, x3);
            let x8 = $lut::<72>(x7, x2, x6);
            let x9 = $lut::<202>(x1, x6, x8);
            let x10 = $lut::<174>(x0, x4, x5);
            let x11 = $lut::<151>(x10, x7, x1);
            let x12 = $lut::<214>(x4, x7, x1);
            let x13 = $lut::<227>(x12, x5, x9);
            let x14 = $lut::<202>(x3, x11, x13);
            let x15 = $lut::<202>(x2, x9, x14);
            let x16 = $lut::<148>(x13, x3, x11);
            let x17 = $lut::<133>(x16, x12, x0);
            let x18 = $lut::<104>(x11, x7, x13);
            let x19 = $lut::<202>(x4, x17, x18);
            let x20 = $lut::<135>(x14, x6, x19);
            let x21 = $lut::<64>(x12, x11, x16);
            let x22 = $lut::<74>(x5, x20, x21);
            let x23 = $lut::<172>(x2, x19, x22);
            let x24 = $lut::<142>(x19, x0, x10);
            let x25 = $lut::<26>(x24, x16, x14);
            let x26 = $lut::<70>(x3, x20, x25);
            let x27 = $lut::<226>(x26, x17, x13);
            let x28 = $lut::<202>(x2, x25, x27);
            let x29 = $lut::<150>(x7, x17, x2);
            let x30 = $lut::<210>(x29, x9, x20);
            let x31 = $lut::<226>(x12, x23, x28);
            let x32 = $lut::<105>(x31, x1, x15);
            let x33 = $lut::<202>(x5, x30, x32);
            [x15, x23, x28, x33]
        }

        $(#[$on])*
        #[inline]
        fn s2([x0, x1, x2, x3, x4, x5]: [$register; 6]) -> [$register; 4] {
            let x6 = $lut::<134>(x3, x4, x1);
            let x7 = $lut::<72>(x6, x5, x2);
            let x8 = $lut::<225>(x6, x2, x1);
            let x9 = $lut::<194>(x5, x7, x8);
            let x10 = $lut::<106>(x3, x1, x5);
            let x11 = $lut::<60>(x10, x2, x6);
            let x12 = $lut::<197>(x5, x6, x11);
            let x13 = $lut::<172>(x4, x11, x12);
            let x14 = $lut::<172>(x0, x9, x13);
            let x15 = $lut::<36>(x13, x1, x5);
            let x16 = $lut::<105>(x15, x3, x0);
            let x17 = $lut::<101>(x8, x11, x16);
            let x18 = $lut::<225>(x6, x15, x0);
            let x19 = $lut::<202>(x5, x17, x18);
            let x20 = $lut::<172>(x4, x16, x19);
            let x21 = $lut::<26>(x7, x13, x0);
            let x22 = $lut::<194>(x21, x16, x19);
            let x23 = $lut::<118>(x12, x1, x14);
            let x24 = $lut::<169>(x23, x4, x16);
            let x25 = $lut::<202>(x5, x22, x24);
            let x26 = $lut::<226>(x17, x0, x13);
            let x27 = $lut::<97>(x24, x1, x8);
            let x28 = $lut::<202>(x3, x26, x27);
            let x29 = $lut::<134>(x14, x20, x9);
            let x30 = $lut::<120>(x29, x13, x26);
            let x31 = $lut::<172>(x5, x28, x30);
            [x14, x20, x31, x25]
        }

        $(#[$on])*
        #[inline]
        fn s3([x0, x1, x2, x3, x4, x5]: [$register; 6]) -> [$register; 4] {
            let x6 = $lut::<210>(x2, x5, x3);
            let x7 = $lut::<33>(x6, x1, x4);
            let x8 = $lut::<142>(x4, x2, x5);
            let x9 = $lut::<37>(x8, x3, x6);
            let x10 = $lut::<44>(x1, x7, x9);
            let x11 = $lut::<172>(x4, x3, x2);
            let x12 = $lut::<150>(x11, x5, x1);
            let x13 = $lut::<202>(x0, x10, x12);
            let x14 = $lut::<105>(x5, x3, x4);
            let x15 = $lut::<75>(x14, x8, x1);
            let x16 = $lut::<172>(x2, x14, x15);
            let x17 = $lut::<154>(x13, x6, x11);
            let x18 = $lut::<58>(x17, x16, x10);
            let x19 = $lut::<202>(x0, x16, x18);
            let x20 = $lut::<55>(x0, x14, x4);
            let x21 = $lut::<150>(x19, x12, x0);
            let x22 = $lut::<202>(x2, x20, x21);
            let x23 = $lut::<124>(x3, x19, x4);
            let x24 = $lut::<66>(x13, x6, x15);
            let x25 = $lut::<202>(x0, x23, x24);
            let x26 = $lut::<172>(x1, x22, x25);
            let x27 = $lut::<128>(x5, x3, x26);
            let x28 = $lut::<105>(x27, x12, x6);
            let x29 = $lut::<230>(x18, x23, x26);
            let x30 = $lut::<58>(x29, x28, x6);
            let x31 = $lut::<202>(x0, x28, x30);
            [x19, x31, x26, x13]
        }

        $(#[$on])*
        #[inline]
        fn s4([x0, x1, x2, x3, x4, x5]: [$register; 6]) -> [$register; 4] {
            let x6 = $lut::<201>(x3, x1, x4);
            let x7 = $lut::<156>(x6, x4, x3);
            let x8 = $lut::<202>(x2, x6, x7);
            let x9 = $lut::<116>(x2, x1, x6);
            let x10 = $lut::<33>(x9, x0, x7);
            let x11 = $lut::<74>(x0, x8, x10);
            let x12 = $lut::<56>(x1, x2, x4);
            let x13 = $lut::<105>(x12, x3, x9);
            let x14 = $lut::<109>(x13, x4, x8);
            let x15 = $lut::<202>(x0, x13, x14);
            let x16 = $lut::<202>(x5, x11, x15);
            let x17 = $lut::<134>(x10, x2, x13);
            let x18 = $lut::<193>(x9, x0, x12);
            let x19 = $lut::<202>(x4, x17, x18);
            let x20 = $lut::<98>(x19, x7, x0);
            let x21 = $lut::<164>(x20, x8, x13);
            let x22 = $lut::<75>(x18, x14, x4);
            let x23 = $lut::<202>(x3, x21, x22);
            let x24 = $lut::<172>(x5, x19, x23);
            let x25 = $lut::<197>(x5, x15, x11);
            let x26 = $lut::<197>(x5, x19, x23);
            [x26, x24, x16, x25]
        }

        $(#[$on])*
        #[inline]
        fn s5([x0, x1, x2, x3, x4, x5]: [$register; 6]) -> [$register; 4] {
            let x6 = $lut::<158>(x2, x4, x0);
            let x7 = $lut::<105>(x6, x5, x1);
            let x8 = $lut::<226>(x0, x1, x2);
            let x9 = $lut::<225>(x8, x6, x4);
            let x10 = $lut::<214>(x1, x4, x0);
            let x11 = $lut::<74>(x10, x6, x8);
            let x12 = $lut::<202>(x5, x9, x11);
            let x13 = $lut::<202>(x3, x7, x12);
            let x14 = $lut::<108>(x6, x1, x2);
            let x15 = $lut::<173>(x14, x11, x0);
            let x16 = $lut::<67>(x13, x14, x4);
            let x17 = $lut::<202>(x5, x15, x16);
            let x18 = $lut::<100>(x2, x5, x10);
            let x19 = $lut::<101>(x18, x0, x15);
            let x20 = $lut::<172>(x3, x17, x19);
            let x21 = $lut::<42>(x19, x6, x10);
            let x22 = $lut::<152>(x9, x1, x7);
            let x23 = $lut::<202>(x5, x21, x22);
            let x24 = $lut::<218>(x12, x2, x18);
            let x25 = $lut::<43>(x15, x18, x21);
            let x26 = $lut::<202>(x5, x24, x25);
            let x27 = $lut::<172>(x3, x23, x26);
            let x28 = $lut::<216>(x0, x1, x27);
            let x29 = $lut::<150>(x28, x13, x20);
            let x30 = $lut::<66>(x3, x5, x15);
            let x31 = $lut::<169>(x30, x29, x27);
            let x32 = $lut::<202>(x4, x29, x31);
            [x32, x13, x20, x27]
        }

        $(#[$on])*
        #[inline]
        fn s6([x0, x1, x2, x3, x4, x5]: [$register; 6]) -> [$register; 4] {
            let x6 = $lut::<185>(x1, x0, x3);
            let x7 = $lut::<197>(x6, x0, x1);
            let x8 = $lut::<202>(x4, x6, x7);
            let x9 = $lut::<105>(x0, x3, x4);
            let x10 = $lut::<202>(x5, x8, x9);
            let x11 = $lut::<148>(x4, x5, x9);
            let x12 = $lut::<151>(x5, x4, x8);
            let x13 = $lut::<194>(x1, x11, x12);
            let x14 = $lut::<202>(x2, x10, x13);
            let x15 = $lut::<57>(x9, x1, x6);
            let x16 = $lut::<41>(x13, x3, x6);
            let x17 = $lut::<202>(x5, x15, x16);
            let x18 = $lut::<148>(x0, x4, x17);
            let x19 = $lut::<209>(x18, x7, x9);
            let x20 = $lut::<202>(x2, x17, x19);
            let x21 = $lut::<116>(x15, x8, x18);
            let x22 = $lut::<150>(x21, x5, x9);
            let x23 = $lut::<24>(x1, x4, x7);
            let x24 = $lut::<89>(x23, x20, x22);
            let x25 = $lut::<202>(x2, x22, x24);
            let x26 = $lut::<46>(x23, x25, x1);
            let x27 = $lut::<199>(x26, x21, x15);
            let x28 = $lut::<166>(x17, x0, x8);
            let x29 = $lut::<57>(x28, x27, x1);
            let x30 = $lut::<202>(x2, x27, x29);
            [x14, x25, x30, x20]
        }

        $(#[$on])*
        #[inline]
        fn s7([x0, x1, x2, x3, x4, x5]: [$register; 6]) -> [$register; 4] {
            let x6 = $lut::<214>(x1, x4, x3);
            let x7 = $lut::<72>(x6, x5, x2);
            let x8 = $lut::<146>(x2, x3, x4);
            let x9 = $lut::<135>(x8, x7, x1);
            let x10 = $lut::<202>(x0, x7, x9);
            let x11 = $lut::<154>(x1, x2, x8);
            let x12 = $lut::<90>(x11, x6, x0);
            let x13 = $lut::<202>(x5, x10, x12);
            let x14 = $lut::<150>(x6, x2, x10);
            let x15 = $lut::<212>(x6, x9, x12);
            let x16 = $lut::<142>(x15, x14, x3);
            let x17 = $lut::<202>(x1, x14, x16);
            let x18 = $lut::<108>(x9, x6, x4);
            let x19 = $lut::<141>(x8, x7, x3);
            let x20 = $lut::<202>(x0, x18, x19);
            let x21 = $lut::<172>(x5, x17, x20);
            let x22 = $lut::<201>(x10, x1, x5);
            let x23 = $lut::<25>(x16, x22, x2);
            let x24 = $lut::<172>(x0, x22, x23);
            let x25 = $lut::<26>(x6, x5, x13);
            let x26 = $lut::<22>(x25, x21, x24);
            let x27 = $lut::<172>(x3, x24, x26);
            let x28 = $lut::<74>(x3, x8, x17);
            let x29 = $lut::<150>(x28, x24, x4);
            let x30 = $lut::<86>(x3, x17, x2);
            let x31 = $lut::<105>(x30, x21, x13);
            let x32 = $lut::<202>(x0, x29, x31);
            [x21, x32, x27, x13]
        }

        $(#[$on])*
        #[inline]
        fn s8([x0, x1, x2, x3, x4, x5]: [$register; 6]) -> [$register; 4] {
            let x6 = $lut::<100>(x3, x4, x2);
            let x7 = $lut::<40>(x6, x0, x5);
            let x8 = $lut::<148>(x4, x3, x0);
            let x9 = $lut::<241>(x8, x7, x2);
            let x10 = $lut::<202>(x1, x7, x9);
            let x11 = $lut::<102>(x6, x2, x8);
            let x12 = $lut::<20>(x9, x0, x4);
            let x13 = $lut::<121>(x12, x11, x3);
            let x14 = $lut::<202>(x1, x11, x13);
            let x15 = $lut::<202>(x5, x10, x14);
            let x16 = $lut::<225>(x5, x13, x8);
            let x17 = $lut::<137>(x6, x16, x11);
            let x18 = $lut::<202>(x3, x16, x17);
            let x19 = $lut::<130>(x15, x4, x0);
            let x20 = $lut::<86>(x19, x13, x18);
            let x21 = $lut::<172>(x1, x18, x20);
            let x22 = $lut::<30>(x14, x5, x16);
            let x23 = $lut::<202>(x5, x22, x12);
            let x24 = $lut::<202>(x4, x22, x23);
            let x25 = $lut::<162>(x2, x19, x14);
            let x26 = $lut::<139>(x25, x10, x23);
            let x27 = $lut::<172>(x3, x24, x26);
            let x28 = $lut::<150>(x1, x18, x12);
            let x29 = $lut::<45>(x28, x27, x13);
            let x30 = $lut::<234>(x24, x18, x11);
            let x31 = $lut::<97>(x30, x17, x29);
            let x32 = $lut::<202>(x0, x29, x31);
            [x27, x21, x32, x15]
        }
    };
}
pub(super) use sboxes;
