"""python -m glidn"""

from glidn.cli import main

raise SystemExit(main())
