"""Result bytes: serializers, the content-addressed store, previews and what is published for people."""
