"""Fitted estimators asked over blocks of cells, many times faster and to the same bits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from prospect.compiling import Reading, compile_part
from prospect.errors import ModelError
from prospect.parts import Foreign, Groups, Part, Scores, Square
from prospect.trees import Block, Doubles, Mask

_GAP = 255
_STRIPE = 64
"""Rows whose contributions are held at a time, a number a group and cell."""


@dataclass(frozen=True)
class Predictor:
    """
    Scores blocks of features as a fitted estimator would; made by :func:`compile_estimator`.

    It can be pickled, and asked by several threads at a time.

    Attributes
    ----------
    features : int
        How many the estimator reads.
    draws : int
        Members whose disagreement :meth:`predict_with_spread` tells; 0 if there are none.
    members : int
        Trees (or other members) of a draw, whose disagreement is the spread *within* of
        :meth:`predict_with_parts`; 0 if there are none.
    fast : bool
        Whether nothing in it is asked by the estimator's own code.
    """

    part: Part
    features: int

    @property
    def draws(self) -> int:
        """Members of the outermost ensemble, if they are separate draws."""
        return self.part.draws

    @property
    def members(self) -> int:
        """What a draw, or the whole where there are none, is the mean of."""
        return self.part.members

    @property
    def fast(self) -> bool:
        """Whether this package's own passes do everything."""
        return self.part.fast

    def predict(self, block: NDArray[Any], valid: Mask | None = None) -> Doubles:
        """
        Score the cells of a block.

        Parameters
        ----------
        block : array of shape (feature, rows, cols)
            Taken as float32, as every feature is. Gaps are NaN, and go where the estimator
            sends them. Foreign estimators are asked by blocks of the lattice, which begins
            at the first cell.
        valid : array of shape (rows, cols), bool, optional
            Which cells to score; all when not given.

        Returns
        -------
        array of shape (rows, cols), float64
            The score of the deposit class; NaN where ``valid`` is false.

        Raises
        ------
        ModelError
            If the block has another number of features.
        """
        return self.part.score(*self._require(block, valid), spread=False).likelihood

    def predict_with_spread(
        self, block: NDArray[Any], valid: Mask | None = None
    ) -> tuple[Doubles, Doubles]:
        """
        Score the cells of a block, and tell how far the draws disagree.

        Parameters
        ----------
        block, valid
            As of :meth:`predict`.

        Returns
        -------
        likelihood, spread : array of shape (rows, cols), float64
            The mean of the draws and the standard deviation of their means.

        Raises
        ------
        ModelError
            If there are no draws, or the block has another number of features.
        """
        if not self.draws:
            raise ModelError("The spread of draws was asked for, but the estimator has no draws.")
        return self.part.score(*self._require(block, valid), spread=True)[:2]

    def predict_with_parts(self, block: NDArray[Any], valid: Mask | None = None) -> Scores:
        """
        Score the cells of a block, and tell what the spread consists of, in one pass.

        Parameters
        ----------
        block, valid
            As of :meth:`predict`.

        Returns
        -------
        likelihood : array of shape (rows, cols), float64
            As of :meth:`predict`, to the bit.
        between : array of shape (rows, cols), float64
            Standard deviation of the means of draws (of all of them, not of a sample); 0
            where there are none.
        within : array of shape (rows, cols), float64
            Root of the mean variance between the members of a draw, its trees for instance;
            0 where draws have none. Squares of both add up to the variance of all members,
            where draws are equally large.

        Raises
        ------
        ModelError
            If nothing in the estimator could disagree, or the block has another number of
            features.
        """
        if not self.draws and not self.members:
            raise ModelError("The spread was asked for, but the estimator has no members.")
        return self.part.score(*self._require(block, valid), spread=True)

    @property
    def tells_variances(self) -> bool:
        """Whether :meth:`predict_with_variances` can be asked."""
        return isinstance(self.part, Square)

    def predict_with_variances(
        self, block: NDArray[Any], valid: Mask | None = None
    ) -> tuple[Doubles, Doubles]:
        """
        Score the cells of a block, and tell what the spread of training draws is made of.

        Parameters
        ----------
        block, valid
            As of :meth:`predict`.

        Returns
        -------
        likelihood : array of shape (rows, cols)
            To the bits of :meth:`predict`.
        variances : array of shape (3, rows, cols)
            Over draws of background, of deposits, and of their places; the sum is the
            square of the spread. NaN where ``valid`` is false.

        Raises
        ------
        ModelError
            If the estimator is none of :class:`~prospect.models.TrainingDraws`, or the block
            has another number of features.
        """
        if not isinstance(self.part, Square):
            raise ModelError("Variances by draw were asked for, but there are no training draws.")
        return self.part.variances(*self._require(block, valid))

    def contributions(
        self, block: NDArray[Any], groups: ArrayLike, valid: Mask | None = None
    ) -> NDArray[np.float32]:
        """
        What each group of evidence adds to the score of every cell.

        Along a cell's way down every tree, the change of the mean of what was learnt is put
        to the feature that was asked [1]_. Linear models say how far a feature is from its
        mean, times its coefficient; weights of evidence, the weight; fuzzy overlays, the
        logit of the membership; blends, how both divide what they say, each to a sum of 1.
        A gap counts as what it is taken for.

        Parameters
        ----------
        block, valid
            As of :meth:`predict`.
        groups : array of shape (feature,), int
            The group of each feature, from 0.

        Returns
        -------
        array of shape (group, rows, cols), float32
            On the scale of what is added up: the score of trees, the logit of boosting and
            of sums of evidence. NaN where ``valid`` is false.

        Raises
        ------
        ModelError
            If an estimator is asked itself, or block or groups do not fit.

        References
        ----------
        .. [1] Saabas (2014). Interpreting random forests. blog.datadive.net.
        """
        cells, valid = self._require(block, valid)
        told = self.part.contributions(cells, valid, self._require_groups(groups))
        told[:, ~valid] = np.nan
        return told

    def drivers(
        self,
        block: NDArray[Any],
        valid: Mask,
        groups: ArrayLike,
        *,
        against: bool = False,
    ) -> NDArray[np.uint8]:
        """
        The group of evidence that raises the score of every cell most, or lowers it.

        Parameters
        ----------
        block, valid
            As of :meth:`predict`.
        groups : array of shape (feature,), int
            The group of each feature, from 0; at most 254 groups.
        against : bool
            The group that lowers the score most instead.

        Returns
        -------
        array of shape (rows, cols), uint8
            Numbers of groups, the first of equal ones; one more than the last where no group
            raises (lowers) the score; 255 where ``valid`` is false.

        Raises
        ------
        ModelError
            As of :meth:`contributions`.
        """
        cells, valid = self._require(block, valid)
        known = self._require_groups(groups)
        out = np.full(valid.shape, _GAP, np.uint8)
        for top in range(0, len(valid), _STRIPE):
            rows = slice(top, top + _STRIPE)
            told = self.part.contributions(np.ascontiguousarray(cells[:, rows]), valid[rows], known)
            if against:
                np.negative(told, out=told)
            leading = np.where(told.max(axis=0) > 0, told.argmax(axis=0), known.total)
            out[rows][valid[rows]] = leading[valid[rows]]
        return out

    def _require_groups(self, groups: ArrayLike) -> Groups:
        of = np.asarray(groups)
        if of.shape != (self.features,) or of.dtype.kind not in "iu" or (of < 0).any():
            raise ModelError(f"A group, from 0, of each of {self.features} features was expected.")
        count = int(of.max()) + 1
        if count >= _GAP:
            raise ModelError(f"At most 254 groups of evidence can be told apart, not {count}.")
        return Groups(of.astype(np.int64), count)

    def _require(self, block: NDArray[Any], valid: Mask | None) -> tuple[Block, Mask]:
        if block.ndim != 3 or block.shape[0] != self.features:
            raise ModelError(
                f"A block of {self.features} features in rows and columns was expected, but one "
                f"of shape {block.shape} came."
            )
        valid = np.ones(block.shape[1:], bool) if valid is None else valid
        if valid.shape != block.shape[1:]:
            raise ModelError(f"Cells {block.shape[1:]} were expected, but {valid.shape} came.")
        return np.ascontiguousarray(block, np.float32), np.ascontiguousarray(valid, bool)


def compile_estimator(fitted: Any) -> Predictor:
    """
    Turn a fitted estimator into arrays that are passed over blocks of cells.

    Known are random forests and extremely randomised trees (classifiers and regressors),
    single trees, histogram boosting of two classes, logistic regression, and the estimators
    of this package; bags of any of them, and calibration of trees by a sigmoid or
    isotonically; each also behind a SimpleImputer in a Pipeline, trees behind our encoder of
    classes too. Any other estimator is asked itself.

    Parameters
    ----------
    fitted : fitted classifier or tree regressor
        One output. The deposits are class 1.

    Returns
    -------
    Predictor
        Equal to ``predict_proba`` with ``n_jobs=1`` to the bit for trees and for the
        estimators of this package, for boosting within 1e-7. Logistic regression of
        scikit-learn is summed in float64: within 1e-12 of one that is asked in float64, as
        near as its own rounding where it is asked in float32.
    """
    features = int(fitted.n_features_in_)
    try:
        part = compile_part(fitted, Reading.plain(features))
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        # It scored a few cells when it was loaded, so this is a file that was tampered with.
        raise ModelError(
            f"The model's estimator is not what it says it is ({type(error).__name__}: "
            f"{error}): train again."
        ) from error
    return Predictor(part or Foreign(fitted), features)
