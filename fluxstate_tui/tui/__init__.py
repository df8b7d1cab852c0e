"""What people see: the app, its screens and widgets."""
