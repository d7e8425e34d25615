"""The manual's scheme as real machines: three Linux servers, a switch, another host, eleven containers.

Each physical server is a User-Mode Linux kernel with its own disk and sshd; switch, panel and other host are
network namespaces. Entry points: :class:`lab.lab.Lab` for programs and ``python -m lab`` for people.
Nothing here imports Django.
"""
