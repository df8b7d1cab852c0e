"""What people see and the keys they press. Screens read the store and know no client."""
