"""Segmentation in the image sensor: the region of interest is the prompt.

A camera looks at one region a frame and gives the network's answer to it. ``session`` says where to
look, ``loop`` connects the two; cameras are ``picamera`` (Sony IMX500) and ``replay`` (files).
"""
