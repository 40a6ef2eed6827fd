//! The service: wallets, phones, operators, settlement, console.
