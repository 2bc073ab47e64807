"""Tips written by a language model behind a LiteLLM gateway, or by a mock of one; and what they are worth.

What can be had from here stands in `__init__.pyi`, and is imported when it is first used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
