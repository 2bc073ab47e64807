"""How things are shown, whatever they are: plain text, terminal tables, HTML."""
