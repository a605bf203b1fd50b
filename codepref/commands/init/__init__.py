"""`codepref init`: the first configuration of one's own."""
