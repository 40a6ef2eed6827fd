//! A software secure element and a software plastic card.
