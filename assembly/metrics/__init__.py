"""What a run tells to whoever watches over it: metrics for Prometheus, whether it is alive, whether it is ready.

Read when somebody asks, from what actors and limits count where things happen (`measuring`), and from what there is anyway. Nothing
here speaks HTTP: the page serves what this makes.
"""
