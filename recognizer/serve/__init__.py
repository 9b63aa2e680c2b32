"""Recognition for browsers and other programs: HTTP, WebSocket, and the page."""
