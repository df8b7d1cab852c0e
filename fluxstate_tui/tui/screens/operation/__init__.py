"""An operation on the screen: dialogs, plan, consent, steps, outcome."""
