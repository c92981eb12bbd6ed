"""Every message that crosses a process boundary, versioned, and how it is framed."""
