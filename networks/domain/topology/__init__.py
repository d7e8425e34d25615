"""The topology picture: the manual's scheme, drawn of any state. Pure: from a state to shapes with places.

`build.scene_of` says what is shown, `collapse.collapsed` makes a large scene readable, `around.around`
narrows it to a neighbourhood, `layout.lay_out` gives everything its place. Nothing here knows of SVG.
"""
