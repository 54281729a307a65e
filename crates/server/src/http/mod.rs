//! HTTP: the listener that tells media from pages, the pages, the API and HLS.
