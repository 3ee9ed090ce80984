"""The arguments of transformers' TrainingArguments that nerfit has no option for: what of them may be
given, because it says what happens anyway or is Python's to do, and what to give instead of the rest.

A row: the values that are accepted (ANY: all), and what a refusal says. transformers' own defaults are
accepted, so that a program which spells them out runs; written for 4.44 to 5.23.
"""

from __future__ import annotations

from typing import Any

from .errors import ArgumentError

ANY: tuple[Any, ...] = ("*",)

_PRECISION = 'precision="bf16" (or "int8" for a finished model) sets what products are computed in'
_FULL = "evaluations compute as the training does; precision sets it"
_MEMORY = "memory is not what limits nerfit's training; per_device_train_batch_size sets its size"
_ONE = "ranks are MPI's: mpirun -n N nerfit train (docs/scale.md)"
_HUB = 'call trainer.push_to_hub("owner/name") once the run has ended'
_SHUFFLED = "texts come in an order at random, without padding"
_NO_TORCH = "nothing is computed by torch"
_EVALUATIONS = "evaluations are eval_strategy's and eval_steps', over val_annotations"
_LOG = "nerfit's messages go to the logger nerfit: logging.getLogger('nerfit').setLevel(...)"
_SCHEDULE = "give lr_num_cycles, lr_power, lr_end or lr_timescale"
_ADAM = "the optimizer is AdamW: adam_beta1, adam_beta2, adam_epsilon, weight_decay"

#: By name: values that are accepted, words for the others.
ARGUMENTS: dict[str, tuple[tuple[Any, ...], str]] = {
    # what is Python's to do
    "disable_tqdm": ((None, True, False), "expected True or False"),
    "run_name": (ANY, ""),
    "logging_dir": (ANY, ""),
    # the optimizer and the arithmetic
    "optim": (("adamw_torch", "adamw_torch_fused", "adamw_hf", "adamw_apex_fused"), _ADAM),
    "optim_args": ((None, ""), _ADAM),
    "optim_target_modules": ((None,), _ADAM),
    "adafactor": ((False,), _ADAM),
    "lr_scheduler_kwargs": ((None, {}), _SCHEDULE),
    "bf16_full_eval": ((False,), _FULL),
    "fp16_full_eval": ((False,), _FULL),
    "tf32": ((None, False), _PRECISION),
    "half_precision_backend": (("auto",), _PRECISION),
    "fp16_opt_level": (("O1",), _PRECISION),
    "fp16_backend": (("auto",), _PRECISION),
    "torch_compile": ((False,), _NO_TORCH),
    "torch_compile_backend": ((None,), _NO_TORCH),
    "torch_compile_mode": ((None,), _NO_TORCH),
    "torchdynamo": ((None,), _NO_TORCH),
    "jit_mode_eval": ((False,), _NO_TORCH),
    "use_ipex": ((False,), _NO_TORCH),
    "use_liger_kernel": ((False,), _NO_TORCH),
    "liger_kernel_config": ((None,), _NO_TORCH),
    "enable_jit_checkpoint": ((False,), _NO_TORCH),
    "use_cache": ((None, False), "a text is read once, and nothing of it is kept for the next"),
    "neftune_noise_alpha": ((None,), "noise on the embeddings is not implemented"),
    "activation_checkpointing": ((None, False), _MEMORY),
    "activation_checkpointing_kwargs": ((None,), _MEMORY),
    "gradient_checkpointing": ((None, False), _MEMORY),
    "gradient_checkpointing_kwargs": ((None,), _MEMORY),
    "auto_find_batch_size": ((False,), _MEMORY),
    "torch_empty_cache_steps": (ANY, ""),
    "use_cpu": ((True, False), "expected True or False; nerfit computes on the CPU either way"),
    "no_cuda": ((True, False), "expected True or False; nerfit computes on the CPU either way"),
    "use_mps_device": ((False,), "nerfit computes on the CPU"),
    "full_determinism": ((True, False), "expected True or False; runs have equal bits either way"),
    # texts and batches
    "average_tokens_across_devices": ((True,), "losses are divided by the counts of all ranks"),
    "group_by_length": ((False,), _SHUFFLED),
    "train_sampling_strategy": (("random",), _SHUFFLED),
    "length_column_name": (ANY, ""),
    "data_seed": ((None,), "seed also chooses the order of the texts"),
    "dataloader_drop_last": ((False,), "the last batch of an epoch is trained with, too"),
    "dataloader_pin_memory": (ANY, ""),
    "dataloader_persistent_workers": (ANY, ""),
    "dataloader_prefetch_factor": (ANY, ""),
    "dataloader_multiprocessing_context": (ANY, ""),
    "dataloader_in_order": ((True,), _SHUFFLED),
    "remove_unused_columns": (ANY, ""),
    "label_names": ((None,), "labels are the annotations' and ent2emb's"),
    "ignore_data_skip": ((False,), "a resumed run goes on to the bits of one never stopped"),
    "restore_callback_states_from_checkpoint": ((False,), "keep them in a file of your own"),
    # evaluations, logs and checkpoints
    "eval_delay": ((0,), _EVALUATIONS),
    "eval_on_start": ((False,), _EVALUATIONS + "; trainer.evaluate() evaluates afterwards"),
    "eval_do_concat_batches": (ANY, ""),
    "eval_use_gather_object": (ANY, ""),
    "eval_accumulation_steps": (ANY, ""),
    "batch_eval_metrics": (ANY, ""),
    "include_for_metrics": (([], (), None), "callbacks are told of metrics; model.tokens() of labels"),
    "include_inputs_for_metrics": ((False,), "callbacks are told of metrics"),
    "prediction_loss_only": ((False,), "an evaluation always has its metrics"),
    "logging_first_step": ((False,), "give logging_steps=1 to see the first step"),
    "logging_nan_inf_filter": ((True,), "a loss that is not finite ends the run"),
    "log_on_each_node": (ANY, ""),
    "log_level": (("passive", None), _LOG),
    "log_level_replica": (("warning", None), _LOG),
    "include_num_input_tokens_seen": ((False, "no"), "trained tokens are not counted"),
    "include_tokens_per_second": ((False,), "nerfit bench measures the speed"),
    "skip_memory_metrics": ((True,), "memory is not measured"),
    "save_safetensors": ((True,), "models are saved as safetensors alone"),
    "save_only_model": ((False,), "checkpoints can be gone on with; best/ has the model alone"),
    "save_on_each_node": ((False,), "rank 0 writes"),
    "debug": (("", [], None), "messages go to the logger nerfit"),
    "do_train": (ANY, ""),
    "do_eval": (ANY, ""),
    "do_predict": (ANY, ""),
    # trackers and the hub
    "project": (("huggingface",), "wandb reads WANDB_PROJECT, mlflow MLFLOW_EXPERIMENT_NAME"),
    "trackio_space_id": ((None, "trackio"), 'report_to takes "tensorboard", "wandb", "mlflow"'),
    "trackio_bucket_id": ((None,), 'report_to takes "tensorboard", "wandb", "mlflow"'),
    "trackio_static_space_id": ((None,), 'report_to takes "tensorboard", "wandb", "mlflow"'),
    "push_to_hub": ((False,), _HUB),
    "hub_model_id": ((None,), _HUB),
    "hub_token": ((None,), _HUB + "; it takes token="),
    "hub_strategy": (("every_save",), _HUB),
    "hub_private_repo": ((None,), _HUB + "; it takes private="),
    "hub_always_push": ((False,), _HUB),
    "hub_revision": ((None,), _HUB + "; it takes revision="),
    # several processes
    "local_rank": ((-1, 0), _ONE),
    "ddp_backend": ((None,), _ONE),
    "ddp_timeout": (ANY, ""),
    "ddp_find_unused_parameters": ((None,), _ONE),
    "ddp_bucket_cap_mb": ((None,), _ONE),
    "ddp_broadcast_buffers": ((None,), _ONE),
    "ddp_static_graph": ((None,), _ONE),
    "fsdp": ((None, "", [], False), _ONE),
    "fsdp_config": ((None, {}), _ONE),
    "fsdp_min_num_params": ((0,), _ONE),
    "deepspeed": ((None,), _ONE),
    "accelerator_config": ((None,), _ONE),
    "parallelism_config": ((None,), _ONE),
    "dispatch_batches": ((None,), _ONE),
    "split_batches": ((None,), _ONE),
    "per_gpu_train_batch_size": ((), "give per_device_train_batch_size"),
    "per_gpu_eval_batch_size": ((), "give per_device_eval_batch_size"),
}


def checked(name: str, value: Any) -> Any:
    """The value, if it says what nerfit does; an error that says what does if not."""
    accepted, words = ARGUMENTS[name]
    plain = getattr(value, "value", value)  # of transformers' enums
    if accepted is not ANY and not any(type(plain) is type(a) and plain == a for a in accepted):
        raise ArgumentError(f"{name}: {value!r} is transformers' and not to be had here: {words}")
    return plain
