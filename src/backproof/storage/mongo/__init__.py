"""The metadata store in MongoDB. Loaded only where MONGODB_URL is set: nothing else needs PyMongo and Beanie."""

from backproof.storage.mongo.repository import SCHEMA_VERSION, MongoRepository

__all__ = ["SCHEMA_VERSION", "MongoRepository"]
