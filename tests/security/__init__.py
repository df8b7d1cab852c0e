"""What others can write is never run, followed or believed."""
