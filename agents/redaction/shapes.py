"""The shapes of secrets that tell by themselves, or by what stands beside them, what they are.

Boundaries are lax on purpose: to hide a little too much is cheaper than to show a key. Secrets that only the name of
their field tells are in `ifonly.agents.redaction.fields`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ifonly.agents.redaction.patterns import (
    EDGE,
    UUID,
    WIDE,
    WORD,
    Shape,
    beside,
    connection,
    digit_or_long,
    dotted,
    filled,
    in_field,
    no_word,
    pairs,
    prefixed,
    user_and_password,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["SHAPES", "found"]

# No secret that tells by itself what it is is shorter.
_SOLID = re.compile(r"[!-~]{15}")
# Where no letter or digit follows.
_END = r"(?![0-9A-Za-z])"
_PEM = (
    r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
    r"(?:(?:[^-]|-(?!----)){1,20000}+-----END [A-Z0-9 ]{0,60}-----|(?:\s*+[A-Za-z0-9+/=]{16,}+)++\s?[A-Za-z0-9+/=]*+)"
)

SHAPES: tuple[Shape, ...] = (
    # Models.
    prefixed("openai", "sk-", f"{WORD}{{20,}}", "openai"),
    beside("openai_like", "sk-", f"{EDGE}sk-(?!ant-|or-){WIDE}{{16,}}", "openai", accept=digit_or_long, solid=True),
    prefixed("openai_project", "sk-proj- sk-svcacct- sk-admin- sk-None-", f"{WIDE}{{16,}}", "openai"),
    prefixed("anthropic", "sk-ant-", f"{WIDE}{{16,}}"),
    prefixed("openrouter", "sk-or-v1- sk-or-", f"{WIDE}{{16,}}"),
    prefixed("huggingface", "hf_ api_org_", f"{WORD}{{30,}}"),
    prefixed("replicate", "r8_", f"{WORD}{{30,}}"),
    prefixed("groq", "gsk_", f"{WORD}{{30,}}"),
    prefixed("perplexity", "pplx-", f"{WORD}{{30,}}"),
    prefixed("xai", "xai-", f"{WORD}{{40,}}"),
    prefixed("nvidia", "nvapi-", f"{WIDE}{{40,}}"),
    prefixed("cerebras", "csk-", f"{WORD}{{30,}}"),
    prefixed("together", "tgp_v1_", f"{WIDE}{{30,}}"),
    prefixed("fireworks", "fw_", f"{WORD}{{20,}}"),
    prefixed("tavily", "tvly-", f"{WIDE}{{20,}}"),
    prefixed("pinecone", "pcsk_", f"{WIDE}{{30,}}"),
    prefixed("langsmith", "lsv2_pt_ lsv2_sk_ ls__", f"{WIDE}{{30,}}"),
    # Clouds.
    beside("aws_access_key", "AKIA ASIA", f"{EDGE}A[KS]IA[A-Z0-9]{{16}}(?![A-Za-z0-9])", solid=True),
    prefixed("google_api_key", "AIza", f"{WIDE}{{30,}}", "google"),
    prefixed("google_oauth", "ya29.", r"[A-Za-z0-9_.-]{20,}"),
    prefixed("google_client_secret", "GOCSPX-", f"{WIDE}{{20,}}"),
    prefixed("google_refresh", "1//", f"0?{WIDE}{{24,}}"),
    beside(
        "azure_account_key",
        "accountkey= sharedaccesskey=",
        r"(?:accountkey|sharedaccesskey)=([a-z0-9+/=%]{20,})",
        "azure",
        folded=True,
    ),
    beside("azure_sas", "sig=", r"(?<![a-z0-9])sig=([a-z0-9%+/=_-]{20,})", folded=True),
    beside("signed_url", "-signature= -credential=", r"-(?:signature|credential)=([a-z0-9%/+=_.@-]{16,})", folded=True),
    prefixed("digitalocean", "dop_v1_ doo_v1_ dor_v1_", "[0-9a-f]{40,}"),
    prefixed("databricks", "dapi", "[0-9a-f]{32}(?:-[0-9])?"),
    prefixed("alibaba", "LTAI", f"{WORD}{{16,}}"),
    prefixed("tencent", "AKID", f"{WORD}{{32}}"),
    prefixed("heroku", "HRKU-", f"{WIDE}{{30,}}"),
    in_field("heroku", UUID),
    prefixed("cloudflare", "cfk_ cfut_ cfat_ v1.0-", f"{WIDE}{{40,}}"),
    in_field("cloudflare", r"[a-z0-9_-]{37,45}"),
    in_field("azure", r"[0-9a-z]{32}|[0-9a-z]{84}|[0-9a-z+/]{86}=="),
    in_field("datadog", r"[0-9a-f]{32,40}"),
    in_field("twilio", r"[0-9a-f]{32}", "twilio"),
    in_field("algolia", r"[0-9a-f]{32}"),
    prefixed("fly", "fo1_ fm1_ fm2_ fm1r_ fm1a_", r"[A-Za-z0-9_+/=,-]{20,}"),
    prefixed("netlify", "nfp_ nfc_ nfo_ nfu_", f"{WORD}{{30,}}"),
    prefixed("supabase", "sbp_ sb_secret_", f"{WIDE}{{20,}}"),
    prefixed("planetscale", "pscale_tkn_ pscale_pw_ pscale_oauth_", r"[A-Za-z0-9_.=-]{30,}"),
    # Code, packages and their tools.
    prefixed("github", "ghp_ gho_ ghu_ ghs_ ghr_", f"{WORD}{{30,}}", "github"),
    prefixed("github_fine_grained", "github_pat_", f"{WORD}{{20}}[A-Za-z0-9_]*", "github"),
    prefixed(
        "gitlab", "glpat- gldt- glrt- glcbt- glptt- glsoat- glffct- glimt- glagent- gloas-", r"[A-Za-z0-9_.-]{16,}"
    ),
    prefixed("npm", "npm_", f"{WORD}{{30,}}"),
    prefixed("pypi", "pypi-AgE", f"{WIDE}{{30,}}"),
    prefixed("rubygems", "rubygems_", "[0-9a-f]{40,}"),
    prefixed("docker", "dckr_pat_ dckr_oat_", f"{WIDE}{{20,}}"),
    prefixed("atlassian", "ATATT3 ATBB ATCTT3", r"[A-Za-z0-9_=-]{24,}"),
    prefixed("buildkite", "bkua_", "[0-9a-f]{40}"),
    prefixed("circleci", "CCIPAT_ CCIPRJ_", f"{WIDE}{{30,}}"),
    beside("terraform", ".atlasv1.", r"[A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_-]{40,}", back=14),
    prefixed("pulumi", "pul-", "[0-9a-f]{40}"),
    prefixed("postman", "PMAK-", r"[0-9a-f]{24}-[0-9a-f]{34}"),
    # Talk and mail.
    prefixed("slack", "xoxb- xoxp- xoxa- xoxe- xoxo- xoxr- xoxs- xoxe.xoxp- xoxe.xoxb-", "[A-Za-z0-9-]{10,}", "slack"),
    prefixed("slack_app", "xapp-", "[A-Za-z0-9-]{10,}", "slack"),
    beside(
        "slack_webhook", "hooks.slack.com/", r"hooks\.slack\.com/(?:services|workflows|triggers)/([A-Za-z0-9/_-]{16,})"
    ),
    beside("discord", ".", rf"(?<!{WIDE})[MNO]{WIDE}{{23,27}}\.{WIDE}{{6,7}}\.{WIDE}{{27,}}", back=None),
    beside("discord_webhook", "/api/webhooks/", rf"/api/webhooks/(\d{{10,25}}/{WIDE}{{30,}})"),
    beside("teams_webhook", ".office.com/webhookb2/", r"\.office\.com/webhookb2/([A-Za-z0-9@/_-]{30,})"),
    beside("telegram", ":", rf"(?<!\d)\d{{8,10}}:{WIDE}{{35}}(?!{WIDE})", back=None),
    prefixed("sendgrid", "SG.", rf"{WIDE}{{16,}}\.{WIDE}{{16,}}"),
    prefixed("mailgun", "key-", f"[0-9a-f]{{32}}{_END}"),
    beside("mailchimp", "-us", rf"(?<![0-9a-f])[0-9a-f]{{32}}-us\d{{1,2}}{_END}", back=32),
    prefixed("resend", "re_", f"{WORD}{{8}}_{WORD}{{20,}}"),
    prefixed("brevo", "xkeysib-", f"[0-9a-f]{{64}}-{WORD}{{16}}"),
    prefixed("twilio_key", "SK", f"[0-9a-f]{{32}}{_END}", "twilio"),
    prefixed("twilio_account", "AC", f"[0-9a-f]{{32}}{_END}", "twilio_account"),
    # Money and shops.
    prefixed("stripe", "sk_live_ rk_live_ sk_test_ rk_test_", f"{WORD}{{10,}}"),
    prefixed("webhook_secret", "whsec_", "[A-Za-z0-9+/=]{24,}"),
    prefixed("square", "sq0atp-", f"{WIDE}{{20,}}", "square"),
    prefixed("square_secret", "sq0csp-", f"{WIDE}{{30,}}", "square"),
    prefixed("shopify", "shpat_ shpca_ shppa_ shpss_", "[0-9a-fA-F]{32}"),
    prefixed("flutterwave", "FLWSECK-", r"[0-9a-zA-Z]{32}-X"),
    # Work, measuring, design.
    prefixed("linear", "lin_api_ lin_oauth_", f"{WORD}{{30,}}"),
    prefixed("notion", "ntn_", f"{WORD}{{40,}}"),
    prefixed("figma", "figd_ figo_", f"{WIDE}{{30,}}"),
    prefixed("airtable", "pat", rf"{WORD}{{14}}\.[0-9a-f]{{64}}"),
    prefixed("grafana", "glsa_", f"{WORD}{{32}}_[0-9A-Fa-f]{{8}}", "grafana"),
    prefixed("grafana_cloud", "glc_", "[A-Za-z0-9+/=]{32,}", "grafana"),
    prefixed("sentry", "sntrys_ sntryu_ sntrya_ sntryi_", r"[A-Za-z0-9+/=_-]{30,}"),
    prefixed("newrelic", "NRAK- NRII- NRJS-", f"{WIDE}{{19,}}"),
    prefixed("dynatrace", "dt0c01.", r"[A-Z0-9]{24}\.[A-Z0-9]{64}"),
    prefixed("posthog", "phx_", f"{WORD}{{30,}}"),
    # Keepers of secrets.
    prefixed("vault", "hvs. hvb. hvr.", f"{WIDE}{{20,}}"),
    prefixed("doppler", "dp.st. dp.pt. dp.ct. dp.sa. dp.scim. dp.audit.", r"[A-Za-z0-9._-]{20,}"),
    prefixed("onepassword", "ops_eyJ", r"[A-Za-z0-9+/_=-]{100,}"),
    prefixed("age", "AGE-SECRET-KEY-1", "[0-9A-Z]{40,}"),
    beside("private_key_block", "-----BEGIN", _PEM, "private_key"),
    beside("putty_key", "Private-Lines:", r"Private-Lines: \d+\s+((?:[A-Za-z0-9+/=]{16,}+\s*+)++)", "private_key"),
    # Sessions and headers.
    beside("jwt", "eyJ", rf"{EDGE}eyJ{WIDE}{{12,}}+(?:\.{WIDE}*+){{0,4}}", accept=dotted, solid=True),
    beside("bearer", "bearer", r"(?<![a-z])bearer[ \t]{1,4}([a-z0-9._~+/=-]{8,})", folded=True, accept=no_word),
    beside(
        "basic",
        "Basic basic",
        r"(?<![A-Za-z])[Bb]asic[ \t]{1,4}([A-Za-z0-9+/]{6,}={0,2})",
        back=0,
        accept=user_and_password,
    ),
    beside(
        "authorization",
        "authorization",
        r"authorization[\"'`\]]{0,2}[ \t]{0,4}[:=][ \t]{0,4}[\"'`]?"
        r"(?:(?:bearer|basic|token|apikey|api-key|key|negotiate|ntlm|oauth|sso-key|bot)[ \t]{1,4}([^\s\"'`,;\\]{4,})|"
        r"(?:digest|hmac|signature|aws4-hmac-sha256)[ \t]{1,4}([^\r\n\\]{8,}))",
        folded=True,
        accept=filled,
    ),
    beside("cookie", "cookie:", r"(?<![a-z])(?:set-)?cookie:[ \t]{0,4}([^\r\n\"'\\]{4,})", folded=True, accept=pairs),
    beside(
        "session_cookie",
        "sessid= sessionid= connect.sid=",
        r"(?:sessid|sessionid|connect\.sid)=([^\s;,\"'&\\]{6,})",
        "session_id",
        folded=True,
    ),
    beside(
        "curl_user",
        "-u --user",
        r"(?<![^\s\"'\[(,])(?:-u|--user)[ =][\"']?([^\s\"':]{1,100}:[^\s\"']{3,})(?<!:)(?=[\"'\s]|\Z)",
        "basic",
    ),
    # URLs with a user and a password, those of databases and queues by name.
    connection("postgres", "postgres"),
    connection("mysql", "mysql mariadb"),
    connection("mongodb", "mongodb"),
    connection("redis", "redis valkey"),
    connection("amqp", "amqp"),
    connection("mssql", "mssql sqlserver jdbc:"),
    beside("url_credentials", "://", r"://([^\s\"'<>/@:]{0,200}:[^\s\"'<>/]{1,256})@"),
    beside("url_token", "://", r"://([A-Za-z0-9_-]{20,200})@", "url_credentials"),
)
"""All shapes; at least sixty."""

_LOOSE = tuple(shape for shape in SHAPES if not shape.solid)


def found(text: str, low: str) -> Iterator[tuple[int, int, str, bool]]:
    """Start, end and kind of each secret, and whether it is solid; `low` is the text in lower case."""
    for shape in SHAPES if _SOLID.search(text) else _LOOSE:
        for start, end in shape.matches(text, low):
            yield start, end, shape.kind, shape.solid
