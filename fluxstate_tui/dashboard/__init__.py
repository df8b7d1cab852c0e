"""Where the clients and the app meet: connect, feed the store, and do what screens ask for."""
