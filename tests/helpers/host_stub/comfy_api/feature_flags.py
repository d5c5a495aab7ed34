def supports_feature(sockets_metadata, sid, feature):
    return sockets_metadata.get(sid, {}).get("feature_flags", {}).get(feature, False)
