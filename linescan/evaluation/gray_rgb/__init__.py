"""Gray against RGB: what a depth model loses, and what it saves, where the picture has no colour.

The same picture goes through the same weights twice: in colour through the file that keeps three
channels, and as gray through the file whose first convolution has the duplication of the gray
channel folded in, which is exact. So what differs is the colour alone.
"""
