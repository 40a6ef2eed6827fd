//! A validator: selection, PSAM, fares, deny list, tearing recovery, offline batches.
