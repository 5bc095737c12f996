"""The kinds of `auth` for an Airflow in another cloud: Cloud Composer of Google and MWAA of AWS."""

import re
from typing import Final, Literal

from pydantic import Field, ValidationInfo, field_validator

from shared.rules.model.auth_kinds import AUTHORIZATION, IDENTITY, KIND, AuthBase
from shared.rules.model.base import Text
from shared.values.app_settings import setting_names
from shared.values.urls import check_address
from shared.values.wording import shown


class GoogleAuth(AuthBase):
    """A Google token for Cloud Composer, by workload identity federation and a service account."""

    kind: Literal["google"] = Field(description=KIND)
    audience: Text = Field(
        description="The workload identity pool's provider.",
        examples=[
            "//iam.googleapis.com/projects/123/locations/global/workloadIdentityPools/azure/providers/updraft"
        ],
    )
    service_account: Text = Field(
        description="The service account that is impersonated.",
        examples=["updraft@contoso.iam.gserviceaccount.com"],
    )
    scope: Text = Field(
        description="The scope of the Entra token that is exchanged: the provider's allowed audience.",
        examples=["api://google-federation/.default"],
    )
    google_scope: Text = Field(
        default="https://www.googleapis.com/auth/cloud-platform",
        description="The scope of the Google token; Composer accepts only this one.",
    )
    client_id: Text | None = Field(default=None, description=IDENTITY)
    sts_url: Text = Field(
        default="https://sts.googleapis.com/v1/token",
        description="Google's token exchange, or a private endpoint of it.",
    )
    iam_url: Text = Field(
        default="https://iamcredentials.googleapis.com",
        description="Google's service-account credentials API, or a private endpoint of it.",
    )

    @field_validator("sts_url", "iam_url")
    @classmethod
    def _address(cls, url: str) -> str:
        check_address(url, name="sts_url and iam_url", example="https://sts.googleapis.com/v1/token")
        return url


class AwsAuth(AuthBase):
    """Requests signed with an AWS role's credentials, for Amazon MWAA (`InvokeRestApi`)."""

    kind: Literal["aws"] = Field(description=KIND)
    environment: Text = Field(description="The MWAA environment's name.", examples=["data-platform"])
    region: Text = Field(description="The environment's AWS region.", examples=["eu-central-1"])
    role_arn: Text = Field(
        description="The IAM role that is assumed.", examples=["arn:aws:iam::123456789012:role/updraft"]
    )
    scope: Text = Field(
        description="The scope of the Entra token that AWS's OIDC provider accepts: its audience.",
        examples=["api://aws-federation/.default"],
    )
    client_id: Text | None = Field(default=None, description=IDENTITY)
    sts_url: Text | None = Field(
        default=None,
        description="The address of AWS's token service, or a VPC endpoint of it; by default the region's.",
        examples=["https://sts.eu-central-1.amazonaws.com"],
    )

    @field_validator("header")
    @classmethod
    def _signature(cls, header: str) -> str:
        if header != AUTHORIZATION:
            raise ValueError("`header` has no effect here: AWS's signature is in Authorization; leave it out")
        return header

    @field_validator("environment", "region", "role_arn")
    @classmethod
    def _form(cls, text: str, info: ValidationInfo) -> str:
        pattern, example = _AWS_FORMS[info.field_name or ""]
        if not setting_names(text) and not re.fullmatch(pattern, text):
            raise ValueError(
                f"{shown(text)} is not allowed as `{info.field_name}`; write a value such as `{example}`"
            )
        return text

    @field_validator("sts_url")
    @classmethod
    def _address(cls, url: str | None) -> str | None:
        if url is not None:
            check_address(url, name="sts_url", example="https://sts.eu-central-1.amazonaws.com")
        return url

    def airflow_at(self, url: str) -> str:
        """Return the url with the environment: environments of MWAA share the address of its API."""
        return f"{url.rstrip('/')}/{self.environment}"

    @property
    def has_web_pages(self) -> bool:
        """False: the url is MWAA's API, not the environment's web server."""
        return False

    @property
    def credential_text(self) -> str:
        """The role and the identity that assumes it."""
        return f"credentials of {self.role_arn}, for the managed identity's token"


_AWS_FORMS: Final = {
    "environment": (r"[A-Za-z][A-Za-z0-9_-]{0,79}", "data-platform"),
    "region": (r"[a-z]{2,}(-[a-z]+)+-[0-9]+", "eu-central-1"),
    "role_arn": (r"arn:aws[a-z-]*:iam::[0-9]{12}:role/\S+", "arn:aws:iam::123456789012:role/updraft"),
}
