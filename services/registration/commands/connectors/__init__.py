"""What registration does with partners' own systems: reads them, takes over, and tells them."""
