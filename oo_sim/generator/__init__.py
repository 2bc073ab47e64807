"""Tips written by a language model behind a LiteLLM gateway, or by a mock of one; and what they are worth."""

from oo_sim.errors import GeneratorInputError
from oo_sim.generator.client import AsyncTipGenerator, Gateway, TipGenerator
from oo_sim.generator.context import GenerationContext, Task, age_days, build_context
from oo_sim.generator.conversation import Generation
from oo_sim.generator.errors import (
    GatewayError,
    GatewayUnreachableError,
    GenerationError,
    NoTipsError,
)
from oo_sim.generator.exchange import Try, Usage
from oo_sim.generator.gateways import open_gateway
from oo_sim.generator.parser import MAX_TIPS, MalformedError, Parsed, Tip, parse
from oo_sim.generator.prompt import Prompt, default_prompt, load_prompt
from oo_sim.generator.settings import Address, Options

__all__ = [
    "MAX_TIPS",
    "Address",
    "AsyncTipGenerator",
    "Gateway",
    "GatewayError",
    "GatewayUnreachableError",
    "Generation",
    "GenerationContext",
    "GenerationError",
    "GeneratorInputError",
    "MalformedError",
    "NoTipsError",
    "Options",
    "Parsed",
    "Prompt",
    "Task",
    "Tip",
    "TipGenerator",
    "Try",
    "Usage",
    "age_days",
    "build_context",
    "default_prompt",
    "load_prompt",
    "open_gateway",
    "parse",
]
