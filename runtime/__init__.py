"""What a process stands on: its configuration, connections, time-outs, logs and progress.

Below every application. Must never know a file, a person or an event, nor import an application.
"""
