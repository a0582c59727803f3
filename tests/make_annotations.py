"""Annotations of a small film in the formats of several tools, for tests."""

from pathlib import Path

import numpy as np

from glidn.video import write_video

CVAT = """<?xml version="1.0" encoding="utf-8"?>
<annotations><version>1.1</version>
<meta><task><id>5</id><name>Kitchen</name><size>9</size><start_frame>0</start_frame>
<labels><label><name>person</name></label></labels>
<original_size><width>64</width><height>48</height></original_size></task>
<source>film.mp4</source></meta>
<track id="0" label="person" source="manual">
  <box frame="1" outside="0" occluded="0" xtl="1.5" ytl="2" xbr="11" ybr="12">
    <attribute name="action">reaching</attribute></box>
  <box frame="2" outside="0" occluded="0" xtl="2" ytl="2" xbr="12" ybr="12">
    <attribute name="action">reaching</attribute></box>
  <box frame="3" outside="0" occluded="0" xtl="3" ytl="2" xbr="13" ybr="12">
    <attribute name="action">drinking</attribute></box>
  <box frame="4" outside="1" occluded="0" xtl="3" ytl="2" xbr="13" ybr="12">
    <attribute name="action">drinking</attribute></box>
  <box frame="7" outside="0" occluded="0" xtl="4" ytl="2" xbr="14" ybr="12">
    <attribute name="action">__undefined__</attribute></box>
</track>
<track id="1" label="cup">
  <box frame="3" outside="0" xtl="20" ytl="20" xbr="30" ybr="30">
    <attribute name="tilted">true</attribute></box>
  <polygon frame="4" points="1,1;2,2;3,1"/>
</track>
</annotations>
"""
COCO = {
    "videos": [{"id": 4, "name": "film.mp4", "fps": 10, "length": 6}],
    "images": [
        {"id": 70 + n, "video_id": 4, "frame_id": n, "width": 64, "height": 48} for n in range(5)
    ],
    "annotations": [
        {"image_id": 71, "track_id": 2, "category_id": 8, "bbox": [1, 2, 10, 20]},
        {"image_id": 73, "track_id": 2, "category_id": 8, "bbox": [2, 2, 10, 20]},
        {"image_id": 71, "instance_id": 5, "category_id": 9, "bbox": [30, 2.5, 5, 5]},
    ],
    "categories": [{"id": 8, "name": "person"}, {"id": 9, "name": "cup"}],
}
MOT = "1,3,1,2,10,20,1,1,0.9\n2,3,2,2,10,20,1,1,1\n2,4,30,2,5,5,1,2,1\n3,4,30,2,5,5,0,2,1\n"
CSV = """video,frame,category,x,y,w,h,track,action
film,0,person,1,2,10,20,a,sit
film,1,person,1,2,10,20,a,sit
film,2,person,1,2,10,20,a,
"""
KNOWN = ["--fps", "10", "--size", "64x48"]


def film(path: Path, frames: int = 9, width: int = 64, height: int = 48, fps: int = 10) -> Path:
    write_video(path, (np.full((height, width, 3), 9 * n, np.uint8) for n in range(frames)), fps)
    return path
