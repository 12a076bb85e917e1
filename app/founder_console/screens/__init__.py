"""What every page is made of: templates, scripts and styles, charts, QR codes."""
