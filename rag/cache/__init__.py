"""Kept answers: what is asked again is answered again, while its pages stand as they were."""
