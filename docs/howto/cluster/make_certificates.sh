#!/bin/sh
# Certificates for one cluster, and dask's configuration that uses them.
#   sh make_certificates.sh FOLDER
# FOLDER must lie under the same path on every host. Whoever can read a key in it can run
# anything on the cluster. ca-key.pem signs further certificates: move it away afterwards.
set -eu
folder=$1
umask 077
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
openssl req -x509 -newkey rsa:3072 -nodes -sha256 -days 365 -subj "/CN=prospect cluster" \
    -keyout "$folder/ca-key.pem" -out "$folder/ca.pem" 2>/dev/null
for who in scheduler worker client; do
    openssl req -newkey rsa:3072 -nodes -sha256 -subj "/CN=$who" \
        -keyout "$folder/$who-key.pem" -out "$folder/$who.csr" 2>/dev/null
    openssl x509 -req -sha256 -days 365 -in "$folder/$who.csr" -CA "$folder/ca.pem" \
        -CAkey "$folder/ca-key.pem" -CAcreateserial -out "$folder/$who.pem" 2>/dev/null
    rm "$folder/$who.csr"
done
{
    echo "distributed:"
    echo "  comm:"
    echo "    default-scheme: tls"
    echo "    require-encryption: true"
    echo "    tls:"
    echo "      ca-file: $folder/ca.pem"
    for who in scheduler worker client; do
        echo "      $who:"
        echo "        cert: $folder/$who.pem"
        echo "        key: $folder/$who-key.pem"
    done
} > "$folder/tls.yaml"
echo "$folder/tls.yaml"
