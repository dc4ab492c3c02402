"""What pyproject.toml cannot say: the sample pages of corpus/ travel inside the package."""

from setuptools import find_packages, setup

SAMPLE_PAGES = "souffleur.sample_pages"

setup(
    packages=[
        *find_packages(include=["ai_assistant*", "indexer*", "rag*", "souffleur*"]),
        SAMPLE_PAGES,
    ],
    package_dir={SAMPLE_PAGES: "corpus"},
)
