"""moto's server, with two answers put right: a read without a stage gives the version that holds AWSCURRENT, as the
service has it, and not the one that was stored last; and RotateSecret without a function calls the one that the secret
has."""

import sys

from moto.secretsmanager.models import SecretsManagerBackend

plain = SecretsManagerBackend.get_secret_value


def get_secret_value(self, secret_id, version_id, version_stage):
    if not version_id and not version_stage and self._is_valid_identifier(secret_id):
        versions = self.secrets[secret_id].versions.values()
        if any("AWSCURRENT" in version["version_stages"] for version in versions):
            version_stage = "AWSCURRENT"
    return plain(self, secret_id, version_id, version_stage)


SecretsManagerBackend.get_secret_value = get_secret_value

plain_rotate = SecretsManagerBackend.rotate_secret


def rotate_secret(self, secret_id, client_request_token=None, rotation_lambda_arn=None, *rest, **more):
    if not rotation_lambda_arn and self._is_valid_identifier(secret_id):
        rotation_lambda_arn = self.secrets[secret_id].rotation_lambda_arn
    return plain_rotate(self, secret_id, client_request_token, rotation_lambda_arn, *rest, **more)


SecretsManagerBackend.rotate_secret = rotate_secret

from moto.server import main  # noqa: E402

main(sys.argv[1:])
