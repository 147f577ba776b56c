"""Every shape of secret, in every field and disguise; numbering; and how little of real traces is changed."""

import base64
import gzip
import html
import json
import random
import re
import string
import time
from itertools import pairwise
from urllib.parse import quote

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ifonly.agents.cassette import Cassette, Mode
from ifonly.agents.completion import Completion
from ifonly.agents.records import (
    AssistantMessage,
    EnvironmentRef,
    InputStep,
    ModelStep,
    Outcome,
    Request,
    Routing,
    StreamPart,
    SystemMessage,
    TokenLogprob,
    ToolCall,
    ToolMessage,
    ToolResult,
    ToolSpec,
    ToolStep,
    Trajectory,
    UserMessage,
)
from ifonly.agents.redaction import FAMILIES, SHAPES, Redactor, redact_call, redact_request, redact_trajectory

ALNUM, LOWER, UPPER = (
    string.ascii_letters + string.digits,
    string.ascii_lowercase + string.digits,
    string.ascii_uppercase,
)
HEX, WIDE = "0123456789abcdef", ALNUM + "-_"


class Draw:
    """Random text; digits come in all of it, as in real keys."""

    def __init__(self, seed):
        self.random = random.Random(seed)

    def __call__(self, letters, count):
        return "7" + "".join(self.random.choices(letters, k=count - 1)) if count else ""

    def jwt(self):
        head = base64.urlsafe_b64encode(b'{"alg":"HS256","typ":"JWT"}').decode().rstrip("=")
        body = base64.urlsafe_b64encode(json.dumps({"sub": self(HEX, 12)}).encode()).decode().rstrip("=")
        return f"{head}.{body}.{self(ALNUM, 43)}"

    def uuid(self):
        return "-".join(self(HEX, n) for n in (8, 4, 4, 4, 12))

    def pem(self, kind):
        lines = "\n".join(self(ALNUM + "+/", 64) for _ in range(4))
        return f"-----BEGIN {kind}-----\n{lines}\n-----END {kind}-----"


def key(prefix, letters, count):
    """A key that is all secret."""
    return lambda draw: (secret := prefix + draw(letters, count), secret)


def around(before, letters, count, after=""):
    """A secret between what stays."""
    return lambda draw: (before + (secret := draw(letters, count)) + after, secret)


def made(make, before="", after=""):
    return lambda draw: (before + (secret := make(draw)) + after, secret)


# By shape: a text that holds such a secret, and the secret.
SAMPLES = {
    "openai": key("sk-", ALNUM, 48),
    "openai_like": key("sk-test-", LOWER, 16),
    "openai_project": key("sk-proj-", WIDE, 60),
    "anthropic": key("sk-ant-api03-", WIDE, 93),
    "openrouter": key("sk-or-v1-", HEX, 64),
    "huggingface": key("hf_", ALNUM, 34),
    "replicate": key("r8_", ALNUM, 37),
    "groq": key("gsk_", ALNUM, 52),
    "perplexity": key("pplx-", ALNUM, 48),
    "xai": key("xai-", ALNUM, 80),
    "nvidia": key("nvapi-", WIDE, 64),
    "cerebras": key("csk-", LOWER, 48),
    "together": key("tgp_v1_", WIDE, 43),
    "fireworks": key("fw_", ALNUM, 24),
    "tavily": key("tvly-dev-", ALNUM, 32),
    "pinecone": key("pcsk_", ALNUM, 60),
    "langsmith": key("lsv2_pt_", HEX, 32),
    "aws_access_key": key("AKIA", UPPER, 16),
    "google_api_key": key("AIza", WIDE, 35),
    "google_oauth": key("ya29.", WIDE, 120),
    "google_client_secret": key("GOCSPX-", WIDE, 28),
    "google_refresh": key("1//0", WIDE, 60),
    "azure_account_key": around("AccountName=a;AccountKey=", ALNUM + "+/", 86, "=="),
    "azure_sas": around("https://a.blob.core.windows.net/c?sv=2022&sig=", ALNUM, 43, "%3D&se=2030"),
    "signed_url": around("https://b.s3.amazonaws.com/k?X-Amz-Signature=", HEX, 64),
    "digitalocean": key("dop_v1_", HEX, 64),
    "databricks": key("dapi", HEX, 32),
    "alibaba": key("LTAI", ALNUM, 20),
    "tencent": key("AKID", ALNUM, 32),
    "heroku": key("HRKU-", WIDE, 60),
    "heroku_field": made(Draw.uuid, "HEROKU_API_KEY="),
    "cloudflare": key("cfut_", ALNUM, 48),
    "cloudflare_field": around("cloudflare_api_token = '", WIDE, 40, "'"),
    "azure_field": around("AZURE_OPENAI_API_KEY=", HEX, 32),
    "datadog_field": around("DATADOG_API_KEY: ", HEX, 32),
    "twilio_field": around("twilio_auth_token=", HEX, 32),
    "algolia_field": around("algolia_admin_key=", HEX, 32),
    "fly": key("fo1_", WIDE, 43),
    "netlify": key("nfp_", ALNUM, 36),
    "supabase": key("sbp_", HEX, 40),
    "planetscale": key("pscale_tkn_", WIDE, 43),
    "github": key("ghp_", ALNUM, 36),
    "github_fine_grained": lambda draw: (s := f"github_pat_{draw(ALNUM, 22)}_{draw(ALNUM, 59)}", s),
    "gitlab": key("glpat-", WIDE, 20),
    "npm": key("npm_", ALNUM, 36),
    "pypi": key("pypi-AgEIcHlwaS5vcmc", WIDE, 80),
    "rubygems": key("rubygems_", HEX, 48),
    "docker": key("dckr_pat_", WIDE, 27),
    "atlassian": key("ATATT3xFfGF0", WIDE, 120),
    "buildkite": key("bkua_", HEX, 40),
    "circleci": key("CCIPAT_", ALNUM, 50),
    "terraform": lambda draw: (s := f"{draw(ALNUM, 14)}.atlasv1.{draw(ALNUM, 64)}", s),
    "pulumi": key("pul-", HEX, 40),
    "postman": lambda draw: (s := f"PMAK-{draw(HEX, 24)}-{draw(HEX, 34)}", s),
    "slack": lambda draw: (s := f"xoxb-{draw('0123456789', 12)}-{draw(ALNUM, 24)}", s),
    "slack_app": lambda draw: (s := f"xapp-1-A{draw(UPPER, 10)}-{draw('0123456789', 13)}-{draw(HEX, 64)}", s),
    "slack_webhook": lambda draw: (
        "https://hooks.slack.com/services/" + (s := f"T{draw(UPPER, 8)}/B{draw(UPPER, 8)}/{draw(ALNUM, 24)}"), s),
    "discord": lambda draw: (s := f"M{draw(ALNUM, 25)}.{draw(ALNUM, 6)}.{draw(WIDE, 38)}", s),
    "discord_webhook": lambda draw: (
        "https://discord.com/api/webhooks/" + (s := f"{draw('0123456789', 18)}/{draw(WIDE, 68)}"), s),
    "teams_webhook": lambda draw: (
        "https://a.webhook.office.com/webhookb2/" + (s := f"{draw.uuid()}@{draw.uuid()}"), s),
    "telegram": lambda draw: (s := f"{draw('0123456789', 10)}:AA{draw(WIDE, 33)}", s),
    "sendgrid": lambda draw: (s := f"SG.{draw(WIDE, 22)}.{draw(WIDE, 43)}", s),
    "mailgun": key("key-", HEX, 32),
    "mailchimp": lambda draw: (s := f"{draw(HEX, 32)}-us12", s),
    "resend": lambda draw: (s := f"re_{draw(ALNUM, 8)}_{draw(ALNUM, 24)}", s),
    "brevo": lambda draw: (s := f"xkeysib-{draw(HEX, 64)}-{draw(ALNUM, 16)}", s),
    "twilio_key": key("SK", HEX, 32),
    "twilio_account": key("AC", HEX, 32),
    "stripe": key("sk_live_", ALNUM, 24),
    "webhook_secret": key("whsec_", ALNUM, 32),
    "square": key("sq0atp-", WIDE, 22),
    "square_secret": key("sq0csp-", WIDE, 43),
    "shopify": key("shpat_", HEX, 32),
    "flutterwave": lambda draw: (s := f"FLWSECK-{draw(HEX, 32)}-X", s),
    "linear": key("lin_api_", ALNUM, 40),
    "notion": key("ntn_", ALNUM, 46),
    "figma": key("figd_", WIDE, 40),
    "airtable": lambda draw: (s := f"pat{draw(ALNUM, 14)}.{draw(HEX, 64)}", s),
    "grafana": lambda draw: (s := f"glsa_{draw(ALNUM, 32)}_{draw(HEX, 8)}", s),
    "grafana_cloud": key("glc_", ALNUM, 80),
    "sentry": key("sntrys_", ALNUM, 80),
    "newrelic": key("NRAK-", UPPER, 27),
    "dynatrace": lambda draw: (s := f"dt0c01.{draw(UPPER, 24)}.{draw(UPPER, 64)}", s),
    "posthog": key("phx_", ALNUM, 43),
    "vault": key("hvs.", WIDE, 90),
    "doppler": key("dp.st.prd.", ALNUM, 40),
    "onepassword": key("ops_eyJ", ALNUM, 200),
    "age": key("AGE-SECRET-KEY-1", UPPER, 58),
    "private_key_block": made(lambda draw: draw.pem("OPENSSH PRIVATE KEY"), "key:\n", "\nthat is it"),
    "putty_key": lambda draw: (
        "Private-Lines: 2\n" + (s := f"{draw(ALNUM, 64)}\n{draw(ALNUM, 64)}") + "\nPrivate-MAC: x", s),
    "jwt": made(Draw.jwt),
    "bearer": around("use Bearer ", ALNUM, 24, " here"),
    "basic": made(lambda draw: base64.b64encode(f"bob:{draw(ALNUM, 15)}".encode()).decode(), "send Basic "),
    "authorization": around("GET / HTTP/1.1\nAuthorization: Token ", HEX, 40, "\nAccept: */*"),
    "cookie": around("Host: x\nCookie: theme=dark; sid=", ALNUM, 26, "\nAccept: */*"),
    "session_cookie": around("GET /a?PHPSESSID=", LOWER, 26),
    "curl_user": around("curl -u bob:", ALNUM, 14, " https://x.org"),
    "postgres": around("postgresql+psycopg2://app:", ALNUM, 14, "@db:5432/x"),
    "mysql": around("mysql://root:", ALNUM, 14, "@localhost/x"),
    "mongodb": around("mongodb+srv://u:", ALNUM, 14, "@c0.abc.mongodb.net"),
    "redis": around("rediss://:", ALNUM, 20, "@cache:6380/0"),
    "amqp": around("amqp://guest:", ALNUM, 14, "@mq/vhost"),
    "mssql": around("jdbc:sqlserver://sa:", ALNUM, 14, "@h"),
    "url_credentials": around("https://bob:", ALNUM, 14, "@example.org/x"),
    "url_token": around("git clone https://", ALNUM, 24, "@git.example.org/x.git"),
    # More of the same kinds, as other vendors and other times write them.
    "aws_temporary": key("ASIA", UPPER, 16),
    "rsa_key": made(lambda draw: draw.pem("RSA PRIVATE KEY")),
    "pgp_key": made(lambda draw: draw.pem("PGP PRIVATE KEY BLOCK")),
    "aws_secret": around("aws_secret_access_key = ", ALNUM + "+/", 40),
    "aws_session": around('"SessionToken": "', ALNUM + "+/=", 200, '"'),
    "bearer_header": around("-H 'Authorization: Bearer ", WIDE, 40, "'"),
    "set_cookie": around("Set-Cookie: sid=", ALNUM, 26, "; Path=/; HttpOnly"),
    "anthropic_header": around("x-api-key: ", ALNUM, 40),
    "azure_header": around("Ocp-Apim-Subscription-Key: ", HEX, 32),
    "yaml": around("db:\n  password: ", ALNUM, 12, "\n  host: h"),
    "python": around("login(user='bob', password='", ALNUM + "!#%", 12, "')"),
    "xml": around("<client_secret>", ALNUM, 20, "</client_secret>"),
    "query": around("https://x.org/cb?code=1&access_token=", ALNUM, 30, "&state=2"),
    "flag": around("deploy --api-token ", ALNUM, 20, " --now"),
    "pair": around('{"name": "X-Auth-Token", "value": "', ALNUM, 20, '"}'),
    "session_field": around('{"session_id": "', HEX, 32, '"}'),
}  # fmt: skip

every_sample = pytest.mark.parametrize("name", SAMPLES)


def sample(name, seed=0):
    return SAMPLES[name](Draw(f"{name}{seed}"))


def traces(secret):
    """What must not be found: the lines of the secret, as they stand and as JSON, URLs and base64 spell them."""
    for line in secret.splitlines():
        yield from (line, json.dumps(line)[1:-1], quote(line, safe=""))
        for late in range(3):
            yield base64.b64encode(b" " * late + line.encode()).decode()[4:-4]


def assert_hidden(secret, text):
    for trace in traces(secret):
        assert trace not in text, f"{trace!r} is still in {text!r}"


def test_at_least_sixty_shapes_are_named_and_shown():
    names = [shape.name for shape in SHAPES]
    assert len(set(names)) == len(names) >= 60
    assert set(names) <= SAMPLES.keys()


@every_sample
def test_a_secret_is_hidden_and_its_context_stays(name):
    text, secret = sample(name)
    redacted = Redactor().text(f"before {text} after")
    assert_hidden(secret, redacted)
    assert redacted.startswith("before ")
    assert redacted.endswith(" after") or name in {"set_cookie"}
    assert redacted.count("[redacted:") == 1


@every_sample
def test_key_rotation_and_a_second_pass_change_nothing(name):
    first, second = (Redactor().text(sample(name, seed)[0]) for seed in (1, 2))
    assert first == second
    assert Redactor().text(first) == first


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, names in FAMILIES.items() for name in names.split()])
def test_a_field_whose_name_announces_a_secret_is_hidden_whole(kind, name):
    secret = Draw(name)(ALNUM, 18)
    under = name.replace("-", "_")
    for field in (name, under.upper(), f"X-My-{name.title()}", f"my_{under}", f"{under}_2", name.replace("-", "")):
        redacted = Redactor().value({"a": [{field: f"two words {secret}"}]})
        assert redacted == {"a": [{field: f"[redacted:{kind}:1]"}]}
        for text in (json.dumps({field: secret}), f"{field}={secret}", f"{field}: '{secret}'", f"{field} => {secret};"):
            assert_hidden(secret, Redactor().text(text))


NESTED = "x: " + json.dumps({"a": json.dumps({"b": json.dumps({"api_key": 'se"cret\\1234'})})})


def test_nested_json_text_is_read_as_deep_as_it_goes():
    redacted = Redactor().text(NESTED)
    assert "cret" not in redacted
    inner = json.loads(json.loads(json.loads(redacted[3:])["a"])["b"])
    assert inner == {"api_key": "[redacted:api_key:1]"}


DISGUISES = {
    "plain": lambda text: text,
    "json": lambda text: json.dumps({"x": [text]}),
    "json in json": lambda text: json.dumps({"x": json.dumps({"y": [text, 1]})}),
    "ascii json, three deep": lambda text: json.dumps(json.dumps(json.dumps([text]))),
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "urlsafe base64 without padding": lambda text: base64.urlsafe_b64encode(text.encode()).decode().rstrip("="),
    "base64 after a path": lambda text: "data/" + base64.b64encode(b" " + text.encode()).decode(),
    "mime base64": lambda text: base64.encodebytes(b"text before it to break a line; " * 2 + text.encode()).decode(),
    "base64 twice": lambda text: base64.b64encode(base64.b64encode(text.encode())).decode(),
    "utf-16 base64": lambda text: base64.b64encode(text.encode("utf-16-le")).decode(),
    "base64 in json": lambda text: json.dumps({"x": base64.b64encode(text.encode()).decode()}),
    "percent": lambda text: quote(text, safe=""),
    "percent in json": lambda text: json.dumps({"u": "https://x.org/?q=" + quote(text)}),
    "html": lambda text: html.escape(f"<p>{text}</p>"),
}  # fmt: skip


@pytest.mark.parametrize("disguise", DISGUISES)
def test_every_shape_in_every_disguise(disguise):
    for name in SAMPLES:
        text, secret = sample(name)
        shown = DISGUISES[disguise](text)
        redacted = Redactor().text(shown)
        assert "[redacted:" in redacted, (name, shown)
        assert_hidden(secret, redacted)
        assert Redactor().text(redacted) == redacted, name


@every_sample
def test_a_secret_cut_over_two_pieces_at_any_place_stands_in_the_first(name):
    text, secret = sample(name)
    text = f"so: {text} ok"
    whole = Redactor().text(text)
    for cut in range(0, len(text) + 1, 1 + len(text) // 150):
        parts = Redactor().split([text[:cut], "", text[cut:]])
        assert "".join(part for part, _ in parts) == whole
        assert parts[1] == ("", False)
    singly = Redactor().split(list(text))
    assert "".join(part for part, _ in singly) == whole
    assert_hidden(secret, "".join(part for part, _ in singly))


# In every field


def fields(text):
    """A request and a completion for each field that may hold text."""
    user, reply = UserMessage(content="hi"), Completion(reply=AssistantMessage(content="ok"))
    bare = Request(model="m", messages=(user,))
    said = json.dumps({"a": json.dumps([text])})

    def asked(*messages, **more):
        return bare.model_copy(update={"messages": (user, *messages), **more}), reply

    def answered(**more):
        return bare, reply.model_copy(update=more)

    def calling(**more):
        return AssistantMessage(tool_calls=(ToolCall(name="t", arguments={}).model_copy(update=more),))

    def result(**more):
        return ToolMessage(tool_call_id="1", name="t", content="").model_copy(update=more)

    tokens = tuple(TokenLogprob(token=text[n : n + 4], logprob=-0.5, top={text[n : n + 4]: -0.5, "z": -2.0})
                   for n in range(0, len(text), 4))  # fmt: skip
    yield asked(SystemMessage(content=text))
    yield asked(
        UserMessage(content=[{"type": "text", "text": text}, {"type": "image_url", "image_url": {"url": text}}])
    )
    yield asked(AssistantMessage(content=text))
    yield asked(calling(name=text))
    yield asked(calling(id=text))
    yield asked(calling(arguments={"deep": {"er": [1, {"x": text}]}, "json": said}))
    yield asked(calling(arguments={text: {text: 1}}))
    yield asked(result(content=text))
    yield asked(result(content=[{"type": "text", "text": said}]))
    yield asked(result(name=text, tool_call_id=text))
    yield asked(result(error=f"ValueError: {text}"))
    yield asked(model=text)
    yield asked(toolset=text)
    yield asked(tools=(ToolSpec(name=text, description=text, parameters={"properties": {text: {"default": text}}}),))
    yield asked(settings={"stop": [text], "metadata": {text: {"x": text}}})
    yield answered(reply=AssistantMessage(content=text))
    yield answered(reply=AssistantMessage(content=[{"type": "text", "text": text}]))
    yield answered(reply=calling(name=text, id=text, arguments={"q": text, "json": said, text: None}))
    yield answered(model=text, finish=text)
    yield answered(stream=tuple(StreamPart(seconds=0.1 * n, text=text[n : n + 3]) for n in range(0, len(text), 3)))
    yield answered(logprobs=tokens)
    yield answered(logprobs=(TokenLogprob(token="a", logprob=-1.0, top={"a": -1.0, text: -3.0}),))


def test_no_secret_of_any_shape_in_any_field_reaches_the_file(tmp_path):
    path = tmp_path / "cassette.jsonl"
    added = 0
    with Cassette(path, Mode.NEW, fsync=False) as cassette:
        for name in SAMPLES:
            text, _ = sample(name)
            for request, completion in fields(text):
                cassette.add(request, completion)
                added += 1
            assert cassette.find(request) is not None
    written = path.read_text()
    assert added >= 60 * 20
    for name in SAMPLES:
        assert_hidden(sample(name)[1], written)
    assert len(list(Cassette(path).entries())) == added


def trajectory(text):
    """A run with the text in every field."""
    call = ToolCall(name="t", arguments={"a": [text]}, id=text)
    system, user = SystemMessage(content=text), UserMessage(content=[{"type": "text", "text": text}])
    first = Request(model=text, messages=(system, user), settings={"x": text}, toolset=text)
    reply = AssistantMessage(content=text, tool_calls=(call,))
    result = ToolMessage(tool_call_id=text, name="t", content=text, error=text)
    then = first.model_copy(update={"messages": (system, user, reply, result)})
    logprobs = tuple(TokenLogprob(token=letter, logprob=-1.0, top={letter: -1.0}) for letter in text)
    parts = tuple(StreamPart(seconds=0.0, text=letter) for letter in text)
    steps = (
        InputStep(site="system/0", message=system),
        InputStep(site="user/0", message=user),
        ModelStep(site="agent/0", request=first, reply=reply, stream=parts, logprobs=logprobs,
                  routing=Routing(options=(text, "m"), chosen=text, propensity=0.5, policy=text),
                  error=text, span=text),
        ToolStep(site="t/0", call=call, result=ToolResult(content=text, error=text), key=text, span=text,
                 reads=("agent/0",)),
        ModelStep(site="agent/1", request=then, reply=AssistantMessage(content="done")),
    )  # fmt: skip
    environment = EnvironmentRef(name=text, version="1", task=text, settings={"k": text})
    return Trajectory(id=text, task=text, agent=text, model=text, steps=steps, outcome=Outcome(error=text),
                      environment=environment, labels={"l": text, text: "v"})  # fmt: skip


@pytest.mark.parametrize("name", list(SAMPLES)[::6])
def test_a_run_is_redacted_in_every_field_and_steps_stay_equal_to_what_requests_repeat(name):
    text, secret = sample(name)
    run = redact_trajectory(trajectory(text))
    assert_hidden(secret, run.model_dump_json())
    assert run.steps[4].request.messages == run.messages[:-1]
    assert run.steps[3].call == run.steps[2].reply.tool_calls[0]
    assert redact_trajectory(run) == run
    assert redact_request(trajectory(text).steps[4].request).messages == run.steps[4].request.messages


# Numbering

A, B, C = (f"sk-proj-{Draw(letter)(ALNUM, 40)}" for letter in "abc")


def test_equal_secrets_get_equal_tokens_and_others_the_next_number():
    request = Request(model="m", messages=(UserMessage(content=f"{B} {A}"), UserMessage(content=A)), settings={"x": C})
    asked, answered = redact_call(request, Completion(reply=AssistantMessage(content=f"{A} {C}")))
    assert asked.settings == {"x": "[redacted:openai:1]"}
    assert [message.content for message in asked.messages] == [
        "[redacted:openai:2] [redacted:openai:3]",
        "[redacted:openai:3]",
    ]
    assert answered.reply.content == "[redacted:openai:3] [redacted:openai:1]"


def test_tokens_that_are_there_already_stay_and_are_not_given_again():
    redactor = Redactor()
    assert (
        redactor.text(f"[redacted:openai:3] {A} {B}") == "[redacted:openai:3] [redacted:openai:4] [redacted:openai:5]"
    )
    assert redactor.text(f"[redacted:github:7]{A}") == "[redacted:github:7][redacted:openai:4]"


def test_what_is_served_redacted_matches_what_was_asked_raw():
    raw = (SystemMessage(content=A), AssistantMessage(content=f"{A} then {B}"), UserMessage(content=f"go on with {C}"))
    served = (raw[0], redact_request(Request(model="m", messages=raw)).messages[1], raw[2])
    first, second = (redact_request(Request(model="m", messages=messages)) for messages in (raw, served))
    assert first == second


def test_a_secret_is_known_again_without_its_context():
    redactor = Redactor()
    assert redactor.value({"password": "hunter2x"}) == {"password": "[redacted:password:1]"}
    assert redactor.text("It is hunter2x, not hunter2xy.") == "It is [redacted:password:1], not hunter2xy."


def test_words_are_not_known_again():
    redactor = Redactor()
    redactor.value({"password": "password", "token": "1234567"})
    assert redactor.text("a password of 1234567") == "a password of 1234567"


def test_the_order_of_keys_moves_no_number():
    forth, back = {"a": A, "b": B, "c": {"y": C}}, {"c": {"y": C}, "b": B, "a": A}
    first, second = Redactor().value(forth), Redactor().value(back)
    assert first == second == {f"{k}": v for k, v in first.items()}
    assert list(second) == ["c", "b", "a"]


PIECES = st.sampled_from(
    (
        *(
            "password=hunter22 ",
            '"token": "',
            '"',
            "\\",
            "\\n",
            "%20",
            " ",
            "[redacted:openai:1]",
            "=",
            ":",
            "x",
            ",",
            "İ",
        ),
        *(
            "[redacted:password:2]",
            "Bearer ",
            "eyJ",
            ".",
            "{",
            "}",
            "'",
            "]",
            "é",
            "\n",
            "[redacted:",
            "https://u:pw1@h/",
        ),
        *("-----BEGIN RSA PRIVATE KEY-----", "Cookie: a=b; c=d", "api_key", "--secret ", "&quot;", "<token>", "/"),
        *(A, B, C, base64.b64encode(A.encode()).decode()),
    )
)
TEXTS = st.lists(PIECES | st.text(max_size=8), max_size=12).map("".join)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXTS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(TEXTS | st.sampled_from(["password", "name", "value", "k"]), inner, max_size=4)
    ),
    max_leaves=8,
)


@given(TEXTS)
@settings(max_examples=150, deadline=None)
@example('"token": "[redacted:openai:1]')
def test_redacting_twice_is_redacting_once(text):
    once = Redactor().text(text)
    assert Redactor().text(once) == once


@given(VALUES)
@settings(max_examples=100, deadline=None)
def test_redacting_values_twice_is_redacting_once(value):
    once = Redactor().value(value)
    assert Redactor().value(once) == once


@given(st.lists(TEXTS, max_size=5), st.data())
@settings(max_examples=60, deadline=None)
def test_a_conversation_keeps_its_numbers_while_it_grows(texts, data):
    messages = tuple(UserMessage(content=text) for text in texts)
    long = redact_request(Request(model="m", messages=messages)).messages
    cut = data.draw(st.integers(0, len(texts)))
    assert redact_request(Request(model="m", messages=messages[:cut])).messages == long[:cut]


@given(TEXTS, st.data())
@settings(max_examples=100, deadline=None)
def test_pieces_make_up_the_redacted_text_wherever_they_are_cut(text, data):
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=6)))
    parts = [text[start:end] for start, end in pairwise([0, *cuts, len(text)])]
    split = Redactor().split(parts)
    assert len(split) == len(parts)
    assert "".join(part for part, _ in split) == Redactor().text(text)


def test_touched_tokens_lose_their_alternatives_and_no_others():
    tokens = ["The", " key", " sk-", "proj-", A[8:20], A[20:], "."]
    logprobs = tuple(TokenLogprob(token=token, logprob=-0.25, top={token: -0.25, "x": -3.0}) for token in tokens)
    _, answered = redact_call(
        Request(model="m", messages=()), Completion(reply=AssistantMessage(content="".join(tokens)), logprobs=logprobs)
    )
    assert [token.token for token in answered.logprobs] == ["The", " key", " [redacted:openai:1]", "", "", "", "."]
    assert [bool(token.top) for token in answered.logprobs] == [True, True, False, False, False, False, True]
    assert {token.logprob for token in answered.logprobs} == {-0.25}


# What stays

ORDINARY = [
    "The task-force asked for a risk-assessment; see sk-learn-pipelines-and-other-words.",
    "password: must be at least 8 characters, token: used by the tokenizer, secret: keep it",
    "Forgot your password? Enter the token we sent. API key required. Authorization: required.",
    "id 550e8400-e29b-41d4-a716-446655440000, commit 3f786850e387550fdab836ed7e6dc881de23001b",
    "sha256 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "IBAN DE89370400440532013000, US133000000121212121212, card ends 4242, order #W2890441",
    "https://example.org/a/b?page=2&q=x#top mailto:bob@example.org git@github.com:me/x.git",
    "/home/user/reports/2024-11-22/annual_report_final_version.pdf C:\\new\\table\\file.txt 100%25",
    "def f(password=None, token: str = '', api_key=os.environ['X'], secret=getpass()): ...",
    '{"type": "object", "properties": {"password": {"type": "string"}}, "required": ["password"]}',
    '{"max_tokens": 100, "next_page_token": "CAUQAA", "pad_token": "<pad>", "token_type": "bearer"}',
    "password=${DB_PASSWORD} token=$TOKEN key={{secrets.KEY}} password: <your password> secret=****",
    "call_8hB2Zx1nT0pQ9rS7uV6w chatcmpl-9xYzAbCdEfGhIjKlMnOpQrStUvWx run-20241122_120000-abc123",
    '{"cookies": "chocolate chip", "token": "the", "authorization": "approved", "boarding_pass": "gold", "pass": "y"}',
    "Lorem ipsum dolor sit amet, consectetur adipiscing elit: 12:30, 1//2, a::b, x -> y; basic example text",
]


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_text_stays(text):
    assert Redactor().text(text) == text
    assert Redactor().value(json.loads(text) if text[0] == "{" else [text]) == (
        json.loads(text) if text[0] == "{" else [text]
    )


def test_a_schema_that_names_secrets_stays():
    schema = {
        "type": "object",
        "properties": {"password": {"type": "string", "description": "The new password."}, "token": {"type": "string"}},
        "required": ["password", "token"],
    }
    assert Redactor().value(schema) == schema


def leaves(value):
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from leaves(inner)


@pytest.mark.data
@pytest.mark.parametrize("source", ["tau_airline_gpt4o/trajectories", "agentdojo_runs/runs/gpt-4-0125-preview"])
def test_less_than_one_percent_of_real_traces_is_changed(data, source):
    lines = gzip.decompress((data / f"{source}.jsonl.gz").read_bytes()).splitlines()
    runs = [json.loads(line) for line in lines[:: max(1, len(lines) // 80)]]
    pairs = [pair for run in runs for pair in zip(leaves(run), leaves(Redactor().value(run)), strict=True)]
    changed = [(before, after) for before, after in pairs if before != after]
    hidden = sum(len(before) - len(re.sub(r"\[redacted:\w+:\d+\]", "", after)) for before, after in changed)
    assert len(pairs) > 2000
    assert len(changed) < 0.01 * len(pairs)
    assert hidden < 0.01 * sum(len(before) for before, _ in pairs)


HARD = [
    *[
        "a",
        "sk-",
        "-eyJ",
        "password=",
        'password="',
        "://a:",
        "\\\\",
        "%41",
        "secret: ",
        "Bearer ",
        "AKIA",
        "1234567890:",
    ],
    *["-----BEGIN PRIVATE KEY-----\nMII", "AccountKey=", "api api key", "SG.a", "x-y_z/", "[redacted:x:1]", "cookie: "],
    *["ab" * 30 + "\n", '{"token": "', "token=token.", "-----BEGIN RSA PRIVATE KEY-----"],
]


@pytest.mark.slow
@pytest.mark.parametrize("piece", HARD)
def test_time_is_linear_in_the_text(piece):
    seconds = []
    for size in (250_000, 1_000_000):
        text = piece * (size // len(piece))
        start = time.process_time()
        Redactor().text(text)
        seconds.append(time.process_time() - start)
    assert seconds[1] < 8 * seconds[0] + 0.5, "four times the text: sixteen times the time would be quadratic"


def test_a_megabyte_of_ordinary_text_takes_less_than_two_seconds():
    draw = random.Random(1)
    words = ["".join(draw.choices(string.ascii_lowercase, k=draw.randint(2, 12))) for _ in range(3000)]
    text = json.dumps([{"id": str(n), "text": " ".join(draw.choices(words, k=40))} for n in range(3300)])
    start = time.process_time()
    assert Redactor().text(text) == text
    assert len(text) > 900_000
    assert time.process_time() - start < 2
