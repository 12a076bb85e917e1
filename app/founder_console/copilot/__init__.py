"""The brief, forecasts, suggestions and the ask box: nothing without its source."""
