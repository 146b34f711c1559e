"""The files of the how-to on clusters do what it says, as far as this computer can show."""

import importlib.util
import os
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from prospect.scoring import score
from prospect.stack import open_stack

ROOT = Path(__file__).resolve().parents[1]
FILES = ROOT / "docs" / "howto" / "cluster"


def environment(**more):
    paths = [str(ROOT), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths)), **more}


@contextmanager
def process(module, *words, env):
    """Something that stays, and is ended."""
    command = [sys.executable, "-m", module, *map(str, words)]
    begun = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield begun
    finally:
        begun.terminate()
        begun.wait(20)


def prospect(*words, env):
    command = [sys.executable, "-m", "prospect.cli", *map(str, words)]
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=240)


def wait_for(path):
    until = time.monotonic() + 60
    while not path.is_file() or not path.stat().st_size:
        assert time.monotonic() < until, f"{path} was not written"
        time.sleep(0.1)


@pytest.fixture
def kept(gold_model, world, tmp_path):
    """The model as a file, and its map as threads make it."""
    pytest.importorskip("distributed", reason="needs the extra dask")
    gold_model.save(tmp_path / "gold.prospect")
    return score(gold_model, open_stack(world), tmp_path / "here.tif", workers=2)


@pytest.mark.slow
def test_a_cluster_speaks_tls_and_to_nobody_without_a_certificate(kept, region_folder, tmp_path):
    if shutil.which("openssl") is None:
        pytest.skip("certificates are made with openssl")
    made = subprocess.run(
        ["sh", FILES / "make_certificates.sh", tmp_path / "tls"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    tls = environment(DASK_CONFIG=made.stdout.strip())
    assert all(f.stat().st_mode & 0o077 == 0 for f in (tmp_path / "tls").glob("*-key.pem"))
    file = tmp_path / "scheduler.json"
    at = ("--host", "127.0.0.1", "--no-dashboard", "--scheduler-file", file)
    started = process("distributed.cli.dask_scheduler", "--port", "0", *at, env=tls)
    worker = ("distributed.cli.dask_worker", "--nworkers", "2", "--nthreads", "1", *at)
    with started:
        wait_for(file)
        with process(*worker, env=tls):
            command = ("score", tmp_path / "gold.prospect", region_folder, "--scheduler", file)
            ran = prospect(*command, "-o", tmp_path / "there.tif", "-q", env=tls)
            assert ran.returncode == 0, ran.stderr
            assert '"address": "tls://127.0.0.1' in file.read_text()
            assert (tmp_path / "there.tif").read_bytes() == kept.read_bytes()
            ran = prospect(*command, "-o", tmp_path / "no.tif", "-q", env=environment())
            assert ran.returncode != 0
            assert "No scheduler answers at tls://127.0.0.1" in ran.stderr
            assert not (tmp_path / "no.tif").exists()


@pytest.mark.slow
def test_the_batch_file_makes_the_map_on_one_node(kept, region_folder, tmp_path):
    """SLURM stands aside: srun here only does what it is given."""
    if shutil.which("bash") is None:
        pytest.skip("the batch file is for bash")
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, words in {
        "srun": 'exec "$@"',
        "dask": f'exec "{sys.executable}" -m dask "$@"',
        "prospect": f'exec "{sys.executable}" -m prospect.cli "$@"',
    }.items():
        (programs / name).write_text(f"#!/bin/sh\n{words}\n")
        (programs / name).chmod(0o755)
    env = environment(
        PATH=f"{programs}{os.pathsep}{os.environ['PATH']}", SLURM_JOB_ID="1",
        SLURM_CPUS_PER_TASK="2", DASK_CONFIG=str(FILES / "dask.yaml"), INTERFACE="lo",
    )  # fmt: skip
    ran = subprocess.run(
        ["bash", FILES / "slurm.sbatch", "gold.prospect", region_folder, "there.tif"],
        cwd=tmp_path, env=env, capture_output=True, text=True, timeout=240,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    assert (tmp_path / "there.tif").read_bytes() == kept.read_bytes()
    assert not list(tmp_path.glob("scheduler-*.json")), "the scheduler's file is removed"


@pytest.mark.parametrize("name", ["make_certificates.sh", "slurm.sbatch"])
def test_scripts_are_of_their_shell(name):
    shell = "bash" if name.endswith("sbatch") else "sh"
    if shutil.which(shell) is None:
        pytest.skip(f"there is no {shell}")
    subprocess.run([shell, "-n", FILES / name], check=True)
    if shutil.which("shellcheck"):
        subprocess.run(["shellcheck", FILES / name], check=True)


def test_jobqueue_asks_slurm_for_workers_of_one_thread():
    pytest.importorskip("dask_jobqueue", reason="needs dask-jobqueue")
    spec = importlib.util.spec_from_file_location("slurm", FILES / "slurm.py")
    slurm = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(slurm)
    words = "gold.prospect country gold.tif --cores 8 --memory 16GB --queue normal --config /c"
    with slurm.cluster_of(slurm.parser().parse_args([*words.split(), "--interface", "lo"])) as made:
        script = made.job_script()
    for line in (
        "#SBATCH -p normal", "#SBATCH --cpus-per-task=8", "#SBATCH --mem=15G",
        "#SBATCH -t 04:00:00", "export DASK_CONFIG=/c",
    ):  # fmt: skip
        assert line in script
    for option in ("--nthreads 1 ", "--nworkers 8 ", "--no-dashboard"):
        assert option in script


def test_kubernetes_is_told_of_one_cluster():
    """Field by field, what the operator and Kubernetes read."""
    yaml = pytest.importorskip("yaml", reason="needs PyYAML")
    cluster, job, policy = yaml.safe_load_all((FILES / "kubernetes.yaml").read_text())
    assert (cluster["apiVersion"], cluster["kind"]) == ("kubernetes.dask.org/v1", "DaskCluster")
    name, spec = cluster["metadata"]["name"], cluster["spec"]
    assert spec.keys() == {"worker", "scheduler"}
    assert spec["worker"]["replicas"] > 0
    pods = [spec["worker"]["spec"], spec["scheduler"]["spec"], job["spec"]["template"]["spec"]]
    assert len({pod["containers"][0]["image"] for pod in pods}) == 1, "versions must agree"
    for pod in pods:
        (container,) = pod["containers"]
        mounts = {mount["name"] for mount in container.get("volumeMounts", [])}
        assert mounts == {volume["name"] for volume in pod.get("volumes", [])}
    mounted = [
        next(m["mountPath"] for m in pod["containers"][0]["volumeMounts"] if m["name"] == "layers")
        for pod in (pods[0], pods[2])
    ]
    assert len(set(mounted)) == 1, "layers lie under one path"
    service, label = spec["scheduler"]["service"], {"dask.org/cluster-name": name}
    assert service["selector"] == {**label, "dask.org/component": "scheduler"}
    ports = {port["name"] for port in pods[1]["containers"][0]["ports"]}
    assert {port["targetPort"] for port in service["ports"]} == ports
    assert f"tcp://{name}-scheduler:8786" in pods[2]["containers"][0]["command"]
    assert policy["spec"]["podSelector"]["matchLabels"] == label
    assert policy["spec"]["ingress"][0]["from"][0]["podSelector"]["matchLabels"] == label
    assert job["spec"]["template"]["metadata"]["labels"] == label


def test_the_image_is_made_of_files_that_are_here():
    lines = (FILES / "Dockerfile").read_text().splitlines()
    copied = [word for line in lines if line.startswith("COPY") for word in line.split()[1:-1]]
    assert copied
    assert all((ROOT / name).exists() for name in copied)
